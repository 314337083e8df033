// The listener's new key and new certificate can't take effect at the same moment. Tests the time in between.
#include <algorithm>

#include "keyd_key_store_support.h"

using namespace keyd_test;
using namespace std::chrono_literals;

namespace {

struct Rotation : Store {
  Rotation() : Store(8, kSettledAtOnce) {
    replace(old);
    CHECK(signs_for(old));
  }
  void replace(const Key& by, mode_t mode = 0600) { scratch.put("listener.key", by.text(Form::pkcs8), mode); }
  std::shared_ptr<PrivateKey> key_for(const Key& certificate) {
    const ipc::Spki spki = certificate.spki();
    return store().find(Role::listener, "", &spki).key;
  }
  bool signs_for(const Key& certificate) {
    const auto key = key_for(certificate);
    return key && key->info().spki == certificate.spki();
  }
  Key old = Key::generate("P-256"), next = Key::generate("P-384");
};

// What is left in a released slot; its first bytes hold the list of free slots.
bool is_wiped(const void* slot) {
  const auto* bytes = static_cast<const uint8_t*>(slot);
  return std::all_of(bytes + sizeof(void*), bytes + sizeof(PrivateKey), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

TEST_CASE("the listener's replaced key signs for its own certificate for another minute", "[keyd][key_store]") {
  Rotation test;
  const void* slot = test.key_for(test.old).get();
  test.replace(test.next);
  CHECK(test.signs_for(test.old));
  CHECK(test.signs_for(test.next));
  CHECK_FALSE(test.signs_for(Key::generate("P-256")));
  Store::now += 59'999ms;
  CHECK(test.signs_for(test.old));
  CHECK_FALSE(is_wiped(slot));
  Store::now += 1ms;
  CHECK_FALSE(test.signs_for(test.old));
  CHECK(test.signs_for(test.next));
  CHECK(is_wiped(slot));
}

TEST_CASE("a lookup of the listener's key gets the one in the file", "[keyd][key_store]") {
  Rotation test;
  test.replace(test.next);
  CHECK(test.store().find(Role::listener, "").key->info().spki == test.next.spki());
  CHECK(test.signs_for(test.old));
}

TEST_CASE("a listener's file that is removed or open to others makes both keys unusable", "[keyd][key_store]") {
  Rotation test;
  const void* slot = test.key_for(test.old).get();
  test.replace(test.next);
  REQUIRE(test.signs_for(test.old));
  const std::string file = test.listener().path;
  SECTION("removed") { unlink(file.c_str()); }
  SECTION("open to others") { chmod(file.c_str(), 0644); }
  SECTION("a directory in its place") {
    unlink(file.c_str());
    std::filesystem::create_directory(file);
  }
  CHECK_FALSE(test.key_for(test.old));
  CHECK_FALSE(test.key_for(test.next));
  CHECK(is_wiped(slot));
  std::filesystem::remove_all(file);
  test.replace(test.next);
  CHECK(test.signs_for(test.next));
  CHECK_FALSE(test.signs_for(test.old));
}

TEST_CASE("a broken listener file changes neither key", "[keyd][key_store]") {
  Rotation test;
  test.replace(test.next);
  REQUIRE(test.signs_for(test.old));
  test.scratch.put("listener.key", "hello");
  CHECK(test.signs_for(test.next));
  CHECK(test.signs_for(test.old));
}

TEST_CASE("a second replacement leaves only the key before it", "[keyd][key_store]") {
  Rotation test;
  const Key third = Key::generate("ED25519");
  test.replace(test.next);
  REQUIRE(test.signs_for(test.next));
  Store::now += 59s;
  test.replace(third);
  CHECK(test.signs_for(third));
  CHECK(test.signs_for(test.next));
  CHECK_FALSE(test.signs_for(test.old));
  Store::now += 59s;
  CHECK(test.signs_for(test.next));
  Store::now += 1s;
  CHECK_FALSE(test.signs_for(test.next));
}

// A young file is read at each use; that alone is not a replacement.
TEST_CASE("the listener's same key read again replaces nothing", "[keyd][key_store]") {
  Rotation test;
  test.replace(test.next);
  REQUIRE(test.signs_for(test.old));
  test.replace(test.next);
  CHECK(test.signs_for(test.next));
  CHECK(test.signs_for(test.old));
}

TEST_CASE("a device's replaced key is gone at once", "[keyd][key_store]") {
  Store store(8, kSettledAtOnce);
  const Key old = Key::generate("P-256"), next = Key::generate("P-256");
  const ipc::Spki spki = old.spki();
  store.put("d.pem", old.text(Form::pkcs8));
  REQUIRE(store.store().find(Role::device, "d", &spki).key->info().spki == old.spki());
  store.put("d.pem", next.text(Form::pkcs8));
  CHECK(store.store().find(Role::device, "d", &spki).key->info().spki == next.spki());
}
