// keyd alone: the test asks it over its socket for what relayd would never ask, or never that fast.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ipc/codec.h"
#include "tests/integration/harness/process.h"
#include "tests/integration/harness/temp_dir.h"

namespace harness {

// A key made by OpenSSL in the test's process.
struct TestKey {
  static TestKey generate(const std::string& type);                    // "P-256", "P-384", "ED25519", "RSA:2048", …
  TestKey encrypted(const std::string& passphrase, int rounds) const;  // PBES2 with PBKDF2
  std::string pem;
  ipc::Spki spki{};
  ipc::Scheme scheme{};  // its TLS 1.3 signature scheme
};

class Keyd {
 public:
  // The program with an empty key directory. `configuration` is merged into the minimal one. `audit_file` must exist.
  explicit Keyd(const Json& configuration = Json::object(), const fs::path& program = default_program(),
                const std::string& audit_file = {});
  static fs::path default_program();

  fs::path keys() const { return directory_ / "keys"; }
  void give_key(const std::string& client_id, const TestKey& key);
  // Returns the time from exec to "ready". `sockets` are passed as systemd passes them.
  std::chrono::microseconds start(const std::vector<int>& sockets = {});
  // Runs keyd until it exits, for configurations that it must refuse.
  Finished run_with(const std::vector<int>& sockets);
  Process& process() { return *process_; }
  std::string socket() const { return directory_ / "sign.sock"; }
  std::vector<std::string> environment;  // "NAME=value", for the next start
  std::function<bool()> before_exec;     // as ProcessOptions::before_exec, for the next start

 private:
  ProcessOptions command(const std::vector<int>& sockets) const;

  TempDir directory_;
  fs::path program_;
  std::string audit_file_;
  std::unique_ptr<Process> process_;
};

// A connection to keyd after HELLO. Its calls block. Only the process that made it may use it: make it after a fork.
class KeydClient {
 public:
  explicit KeydClient(const std::string& socket, std::chrono::milliseconds timeout = std::chrono::seconds(5));
  ~KeydClient();
  KeydClient(const KeydClient&) = delete;
  KeydClient& operator=(const KeydClient&) = delete;

  void send(const ipc::Request& request);
  bool try_send(const ipc::Request& request);  // false: keyd's buffer is full
  ipc::Response receive();                     // the payload is valid until the next call
  ipc::Response ask(const ipc::Request& request) {
    send(request);
    return receive();
  }

 private:
  int fd_;
  ipc::ResponseBuffer buffer_;
};

ipc::Request lookup_request(uint32_t id, const TestKey& key, std::string_view client_id);
// Signs as a TLS 1.3 client does. Reads `client_id`.
ipc::Request sign_request(uint32_t id, const TestKey& key, std::string_view client_id);

// A child process that runs only `work`; keyd sees it as a separate worker. Killed together with its owner and with the
// test.
class Forked {
 public:
  template <typename Work>
  explicit Forked(Work work) : pid_(begin()) {
    if (pid_ == 0) end(run_work(work));
  }
  ~Forked();
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  bool succeeded();  // waits for its exit

 private:
  template <typename Work>
  static bool run_work(Work& work) {
    try {
      work();
      return true;
    } catch (const std::exception& e) {
      complain(e.what());
      return false;
    }
  }
  static pid_t begin();
  [[noreturn]] static void end(bool good);
  static void complain(const char* what);
  pid_t pid_;
};

// Memory shared by a test and its children.
void* shared_memory(size_t size);
void free_shared_memory(void* memory, size_t size);
template <typename T>
class Shared {
 public:
  Shared() : value_(new (shared_memory(sizeof(T))) T{}) {}
  ~Shared() { free_shared_memory(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

}  // namespace harness
