// A directory of keys and a store over it, for tests of which files count and what a change of a file does.
#pragma once

#include "keyd/vault/key_store.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <functional>
#include <thread>

#include "keyd_support.h"

namespace keyd_test {

using namespace keyd;
using ipc::Role;
using ipc::Status;
using witness::Form;
using witness::Key;

constexpr uid_t kNobody = 65534;
constexpr std::chrono::nanoseconds kSettledAtOnce(-1'000'000'000'000);

struct Store {
  explicit Store(size_t cache = 8, std::chrono::nanoseconds settled_after = std::chrono::seconds(2))
      : cache_size(cache), settled(settled_after) {
    std::filesystem::create_directory(scratch / "keys");
    chmod((scratch / "keys").c_str(), 0700);
    put("../listener.key", Key::generate("P-256").text(Form::pkcs8));
  }
  std::string put(const std::string& name, const std::string& text, mode_t mode = 0600) {
    return scratch.put("keys/" + name, text, mode);
  }
  KeyStore& store() {
    if (!keys)
      keys = std::make_unique<KeyStore>(open_keys_dir(keys_dir()), listener_places(), vault.slots, vault.slots,
                                        KeyStore::Options{cache_size, passphrase, settled, [] { return now; }});
    return *keys;
  }
  KeyStore::Found find(const std::string& id) { return store().find(Role::device, id); }
  ConfiguredPath keys_dir() const { return {scratch / "keys", "keyd.json: private_keys_dir"}; }
  std::vector<KeyStore::Place> listener_places() const {
    std::vector<KeyStore::Place> places;
    places.push_back(open_own_key_dir(listener()));
    for (const auto& file : more_listeners) places.push_back(open_own_key_dir({scratch / file, ""}));
    if (!local.empty()) places.push_back(open_own_key_dir({scratch / local, ""}, Role::local));
    return places;
  }
  ConfiguredPath listener() const { return {scratch / "listener.key", "keyd.json: listener_keyfile"}; }

  static inline std::chrono::steady_clock::time_point now;
  std::string local;                        // its key for the local broker; "": none
  std::vector<std::string> more_listeners;  // set it before the first use of store()
  std::string passphrase;
  size_t cache_size;
  std::chrono::nanoseconds settled;
  ScratchDir scratch;
  Vault vault;
  std::unique_ptr<KeyStore> keys;
};

// While it lives, the test acts as an ordinary user, if the tests run as root.
struct AsNobody {
  AsNobody() : root(geteuid() == 0) {
    if (root && seteuid(kNobody) != 0) throw std::runtime_error("seteuid");
  }
  ~AsNobody() {
    if (root && seteuid(0) != 0) abort();
  }
  bool root;
};

inline std::string start_error(Store& store) {
  try {
    expect_own_key(store.store(), {store.listener(), Role::listener});
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

inline void check_contains(const std::string& text, const std::vector<std::string>& parts) {
  INFO(text);
  for (const auto& part : parts) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

}  // namespace keyd_test
