// keyd as shipped, seen from outside: its sandbox, its audit file, encrypted keys, and its behaviour under floods and
// kills.

#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <future>
#include <iostream>

#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

std::vector<Json> audit_lines(const fs::path& file) {
  std::vector<Json> lines;
  std::istringstream text(read_file(file));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  return lines;
}

// A directory for an audit file, writable by keyd.
fs::path audit_folder(World& world) {
  const auto folder = world.directory / "audit";
  fs::create_directory(folder);
  if (geteuid() == 0 && chown(folder.c_str(), keyd_user, keyd_user) != 0) fail_errno("chown");
  return folder;
}

int connect_to(const fs::path& path) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail_errno("connect to keyd");
  return fd;
}

// Connects `count` times without sending anything; up to 400 connections are open at any time.
void connect_silently(const fs::path& path, int count) {
  std::array<int, 400> open;
  open.fill(-1);
  for (int i = 0; i < count; i++) {
    int& place = open[static_cast<size_t>(i) % open.size()];
    if (place >= 0) close(place);
    place = connect_to(path);
  }
  for (const int fd : open)
    if (fd >= 0) close(fd);
}

}  // namespace

TEST_CASE(
    "keyd: every thread is under seccomp without new privileges, keyd says so if part of the sandbox is missing") {
  NEEDS_NO_SANITIZER();
  World world({.keyd = {{"signers", 3}}});
  size_t threads = 0;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(world.relay().keyd().pid()) + "/task")) {
    const auto status = read_file(entry.path() / "status");
    CHECK(status.find("\nSeccomp:\t2") != status.npos);
    CHECK(status.find("\nNoNewPrivs:\t1") != status.npos);
    threads++;
  }
  CHECK(threads == 6);  // the loop, three signers, the quick one, the one that opens encrypted keys
  // If the kernel supports all of the sandbox, keyd may require it.
  if (world.relay().keyd().err().count_text("sandbox is weaker") == 0) {
    world.relay().patch_keyd({{"require_sandbox", true}});
    world.relay().start_keyd();
  }
  // keyd works inside the sandbox.
  const auto identity = device_identity("rsa2048", 1);
  world.give_key("boxed", identity);
  auto device = world.device(identity);
  device.join("boxed");
  CHECK(world.remote->user_of("boxed") == identity.name);
}

TEST_CASE("keyd: an encrypted key serves its device") {
  World world({.start = false});
  const auto identity = device_identity("p256", 1);
  const auto encrypted = world.directory / "encrypted.pem";
  const auto made = run({.argv = {"openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-in",
                                  identity.key, "-out", encrypted, "-passout", "pass:open sesame"}});
  REQUIRE(made.status.code == 0);
  const auto file = world.relay().keys() / "passphrase";
  world.relay().give_file("passphrase", "open sesame\n", 0400);
  world.relay().give_key("locked", encrypted);
  world.relay().patch_keyd({{"key_passphrase_file", file}});
  world.relay().start();
  auto device = world.device(identity);
  device.join("locked");
  CHECK(world.remote->user_of("locked") == identity.name);
}

TEST_CASE(
    "audit file: it equals standard output, continues after a restart, and is rotated without a failed handshake") {
  World world({.start = false});
  const auto file = audit_folder(world) / "audit.log";
  world.relay().patch_keyd({{"audit_file", file}});
  world.relay().start();
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  world.device(identity).join("thermo");
  const auto before = audit_lines(file);
  CHECK(before.size() >= 4);  // start, connect, lookup, two signatures
  fs::rename(file, file.string() + ".1");
  world.relay().keyd().signal(SIGHUP);
  world.relay().keyd().err().wait_text("the audit file was opened again");
  world.device(identity).join("thermo");
  world.relay().keyd().kill();
  world.relay().start_keyd();
  world.device(identity).join("thermo");

  auto lines = audit_lines(file.string() + ".1");
  for (auto& line : audit_lines(file)) lines.push_back(std::move(line));
  for (size_t i = 0; i < lines.size(); i++) CHECK(lines[i].at("seq") == i);
  CHECK(lines.size() > before.size() + 5);
}

TEST_CASE("audit file: while its disk is full keyd signs nothing, once there is room it signs again", "[root]") {
  NEEDS_ROOT();
  World world({.start = false});
  const auto folder = audit_folder(world);
  if (mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=64k,mode=0700") != 0) {
    WARN("SKIPPED: no tmpfs can be mounted here");
    return;
  }
  struct Unmount {
    fs::path path;
    ~Unmount() { umount2(path.c_str(), MNT_DETACH); }
  } const unmount{folder};
  if (chown(folder.c_str(), keyd_user, keyd_user) != 0) fail_errno("chown");
  world.relay().patch_keyd({{"audit_file", folder / "audit.log"}});
  world.relay().start();
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto waiting = world.device(identity);
  std::ofstream(folder / "ballast") << std::string(128 * 1024, 'x') << std::flush;
  // The rest of the audit's last page holds a few more lines.
  for (int i = 0; i < 40 && world.relay().keyd().err().count_text("the audit can't be written") == 0; i++) try {
      world.device(identity);
    } catch (const std::exception&) {
      // the handshake was refused
    }
  REQUIRE(world.relay().keyd().err().count_text("the audit can't be written") == 1);
  CHECK(mqtt::connack_code(waiting.connect({.client_id = "thermo"})) == 3);
  CHECK(world.remote->connections_of("thermo") == 0);
  fs::remove(folder / "ballast");
  auto again = world.device(identity);
  again.join("thermo");
  const auto lines = audit_lines(folder / "audit.log");
  for (size_t i = 0; i < lines.size(); i++) CHECK(lines[i].at("seq") == i);
}

TEST_CASE(
    "when keyd is killed with 100 signatures pending, every handshake succeeds or is clearly refused, none hangs") {
  World world({.relayd = {{"sign_timeout", "15s"}}});
  const auto identity = device_identity("p256", 1);
  constexpr int kDevices = 100;
  for (int i = 0; i < kDevices; i++) world.give_key("dev-" + std::to_string(i), identity);
  const pid_t worker = world.relay().workers().at(0);
  const size_t before = open_descriptors(worker);
  // A stopped keyd reads nothing: requests wait in its socket, and are lost with it.
  world.relay().keyd().signal(SIGSTOP);
  std::vector<std::future<int>> codes;
  for (int i = 0; i < kDevices; i++)
    codes.push_back(std::async(std::launch::async, [&, i] {
      return mqtt::connack_code(world.device(identity).connect({.client_id = "dev-" + std::to_string(i)}));
    }));
  const auto all_in = patience();
  while (open_descriptors(worker) < before + kDevices)
    if (all_in.over()) throw Failure("a hundred devices are not in their handshakes");
  world.relay().keyd().kill();
  world.relay().start_keyd();
  int up = 0;
  for (auto& code : codes) up += code.get() == 0;
  CHECK(up == kDevices);
}

TEST_CASE("among 20,000 silent connections, devices are served and no log overflows") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  const fs::path path = Json::parse(read_file(world.relay().keyd_configuration())).at("socket").get<std::string>();
  // Half of them from a user that keyd allows; if this is root, the other half from a user that it does not allow.
  const pid_t allowed = fork();
  if (allowed == 0) {
    if (geteuid() == 0 && (setgid(relay_user) != 0 || setuid(relay_user) != 0)) _exit(2);
    try {
      connect_silently(path, 10'000);
    } catch (const std::exception& e) {
      std::cerr << e.what() << "\n";
      _exit(1);
    }
    _exit(0);
  }
  auto flood = std::async(std::launch::async, [&] { connect_silently(path, 10'000); });
  int served = 0;
  do {
    world.device(identity).join("thermo");
    served++;
  } while (flood.wait_for(std::chrono::seconds(0)) != std::future_status::ready);
  flood.get();
  int status = 0;
  REQUIRE(waitpid(allowed, &status, 0) == allowed);
  CHECK(status == 0);
  CHECK(served >= 1);
  world.device(identity).join("thermo");
  CHECK(world.relay().audit().count_text("\"event\":\"connect\"") < 5000);
}
