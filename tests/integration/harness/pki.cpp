#include "tests/integration/harness/pki.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <functional>

#include "test_paths.h"
#include "tests/integration/harness/address.h"
#include "tests/integration/harness/process.h"

namespace harness {
namespace {

const fs::path script = fs::path(MQTT_RELAY_SOURCE_DIR) / "tests/pki/make";

void make(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), script);
  const auto finished = run({.argv = arguments});
  if (finished.status.code != 0) throw Failure("tests/pki/make failed: " + finished.err);
}

// One of the processes that run side by side makes a file; the others wait for it.
class Lock {
 public:
  explicit Lock(const fs::path& file) : fd_(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666)) {
    if (fd_ < 0 || flock(fd_, LOCK_EX) != 0) fail_errno("lock " + file.string());
  }
  ~Lock() { close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

// A changed script gets a new directory, so that no test uses files from an old one.
fs::path cache() {
  static const fs::path folder = [] {
    auto path = fs::path(MQTT_RELAY_TEST_CACHE) / std::to_string(std::hash<std::string>{}(read_file(script)));
    fs::create_directories(path);
    return path;
  }();
  return folder;
}

Authorities make_authorities(const std::string& name) {
  const auto folder = cache() / name;
  Lock lock(cache() / "lock");
  make({"ca", folder});
  return {folder / "root.pem", folder / "device-ca.pem"};
}

Identity make_device(const fs::path& folder, const std::string& name, const std::string& type,
                     const std::string& command = "device") {
  const Identity identity{name, folder / (name + ".pem"), folder / (name + ".key")};
  Lock lock(cache() / "lock");
  if (!fs::exists(identity.certificate)) make({command, folder, name, type});
  return identity;
}

}  // namespace

std::string own_address() {
  const auto pid = static_cast<uint32_t>(getpid());
  return "127." + std::to_string(64 + ((pid >> 16) & 63)) + "." + std::to_string((pid >> 8) & 255) + "." +
         std::to_string(pid & 255);
}

const Authorities& authorities() {
  static const Authorities made = make_authorities("pki");
  return made;
}

const Authorities& strange_authorities() {
  static const Authorities made = make_authorities("strange");
  return made;
}

Identity device_identity(const std::string& type, int number) {
  return make_device(authorities().root.parent_path(), type + "-" + std::to_string(number), type);
}

Identity device_named(const std::string& name) { return make_device(authorities().root.parent_path(), name, "p256"); }

Identity strange_device(const std::string& type) {
  return make_device(strange_authorities().root.parent_path(), "strange-" + type, type);
}

Identity expired_device(const std::string& type) {
  return make_device(authorities().root.parent_path(), "expired-" + type, type, "expired");
}

void write_crl(const fs::path& file, const std::vector<Identity>& revoked, bool expired) {
  std::vector<std::string> arguments = {expired ? "expired-crl" : "crl", authorities().root.parent_path(), file};
  for (const auto& device : revoked) arguments.push_back(device.name);
  make(arguments);
}

Identity server_identity(const std::string& name, const std::string& type, const std::string& alternative_names,
                         const fs::path& directory, bool strange) {
  const auto& ca = strange ? strange_authorities() : authorities();
  make({"server", ca.root.parent_path(), name, type, alternative_names, directory});
  return {name, directory / (name + ".pem"), directory / (name + ".key")};
}

Identity server_identity(const std::string& name, const std::string& type, const fs::path& directory) {
  return server_identity(name, type, "IP:" + own_address() + ",DNS:localhost,DNS:" + name + ".test", directory);
}

}  // namespace harness
