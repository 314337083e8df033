// What an attacker in the connector gains: the connections that it makes anyhow.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/operator/checks.h"
#include "tests/captured/gateway.h"
#include "tests/integration/harness/raw_tls.h"

using namespace captured;
using namespace harness;

namespace {

// A gateway whose connector is captured. Each connector that relayd starts connects to the test for its commands.
class Connected {
 public:
  Connected()
      : world({.relayd = {{"workers", 2}, {"control_socket", control()}, {"shutdown_timeout", "1s"}}, .start = false}) {
    capture(world, "mqtt-relayd-connector", "captured_connector");
    const std::string path = world.directory / "relay/run/captured.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listening_.get(), 16) != 0 || chmod(path.c_str(), 0777) != 0)
      fail_errno("captured.sock");
    world.relay().start();
    take_command();
    join();
  }

  fs::path control() const {
    fs::permissions(directory_ / "", fs::perms::all);  // relayd runs as another user
    return directory_ / "control.sock";
  }
  // Waits for the next connector.
  void take_command() { command_.emplace(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  // "done", an error's name, or "killed".
  std::string attack(const std::string& command) {
    command_->send(command);
    std::string answer;
    try {
      for (std::string more = "+"; !more.empty() && !answer.ends_with("\n");) answer += more = command_->receive();
    } catch (const Failure&) {
    }
    if (answer.ends_with("\n")) return answer.substr(0, answer.size() - 1);
    take_command();
    return "killed";
  }
  void join() {
    world.give_key("steady", identity_);
    steady_.emplace(world.device(identity_));
    steady_->join("steady");
  }
  void serves() {
    steady_->ping();
    const std::string id = "newcomer-" + std::to_string(++newcomers_);
    world.give_key(id, identity_);
    auto device = world.device(identity_);
    device.join(id).ping();
  }
  void is_unharmed() {
    serves();
    CHECK(world.relay().reload().at("msg") == "relayd reloaded");
    take_command();
    serves();
    steady_.reset();  // relayd would wait for it
    world.relay().relayd().signal(SIGTERM);
    CHECK(world.relay().relayd().wait().code == 0);
    world.relay().start_relayd();
    join();
    serves();
  }
  void must_fail(const std::vector<Trial>& trials) {
    for (const auto& [command, outcome] : trials) {
      CAPTURE(command);
      CHECK(attack(command) == outcome);
    }
    is_unharmed();
  }

 private:
  const TempDir directory_;

 public:
  World world;

 private:
  const common::Fd listening_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const Identity identity_ = device_identity("p256", 1);
  std::optional<RawSocket> command_;
  std::optional<Device> steady_;
  int newcomers_ = 0;
};

}  // namespace

TEST_CASE("captured connector: it reads no key, writes no file and makes no executable memory") {
  Connected connected;
  connected.must_fail({{"nothing", "done"},
                       {"open " + (connected.world.relay().keys() / "steady.pem").string(), "EACCES"},
                       {"open " + connected.world.relay().relayd_configuration().string(), "EACCES"},
                       {"open /proc/self/maps", "EACCES"},
                       {"create /tmp/captured", "EACCES"},
                       {"unlink /tmp/captured", "EPERM"},
                       {"map " + std::to_string(PROT_EXEC), "EPERM"},
                       {"mprotect", "EPERM"},
                       {"memfd", "EPERM"},
                       {"io_uring", "EPERM"},
                       {"bpf", "EPERM"},
                       {"userfaultfd", "EPERM"},
                       {"keyctl", "EPERM"}});
}

TEST_CASE("captured connector: it connects to the configured ports only") {
  if (common::landlock_abi() < 4) {
    WARN("SKIPPED: this kernel's Landlock does not restrict ports");
    return;
  }
  Connected connected;
  const auto dial = [](uint16_t port) { return "dial " + own_address() + " " + std::to_string(port); };
  connected.must_fail({{dial(ports::remote), "done"},
                       {dial(ports::unused), "EACCES"},
                       {dial(ports::relay), "EACCES"},
                       {dial(22), "EACCES"},
                       {dial(6379), "EACCES"}});
}

TEST_CASE("captured connector: it makes no socket but TCP and UDP ones, and streams to Unix sockets") {
  Connected().must_fail({{"socket " + std::to_string(AF_INET) + " 3 1", "EPERM"},
                         {"socket " + std::to_string(AF_PACKET) + " 3 0", "EPERM"},
                         {"socket " + std::to_string(AF_VSOCK) + " 1 0", "EPERM"},
                         {"socket " + std::to_string(AF_ALG) + " 5 0", "EPERM"},
                         {"socket " + std::to_string(AF_UNIX) + " 2 0", "EPERM"},    // the journal, syslog, systemd
                         {"socket " + std::to_string(AF_INET) + " 1 262", "EPERM"},  // MPTCP
                         {"socketpair", "EPERM"},
                         {"bind 4", "EPERM"}});
}

TEST_CASE("captured connector: it signals no other process") {
  Connected connected;
  const std::string supervisor = std::to_string(connected.world.relay().relayd().pid()),
                    worker = std::to_string(connected.world.relay().workers().at(0));
  connected.must_fail({{"kill " + supervisor + " 9", "EPERM"},
                       {"kill " + worker + " 9", "EPERM"},
                       {"tgkill " + worker, "EPERM"},
                       {"sigqueue " + supervisor, "EPERM"},
                       {"pidfd " + supervisor, "EPERM"},
                       {"owner " + supervisor, "EPERM EPERM EPERM"},
                       {"terminal", "EPERM EPERM EPERM"}});
}

TEST_CASE("captured connector: executing or tracing kills it, sessions go on, and another one serves newcomers") {
  Connected connected;
  connected.must_fail(
      {{"execve /bin/true", "killed"}, {"ptrace " + std::to_string(connected.world.relay().relayd().pid()), "killed"}});
}

TEST_CASE("captured connector: it can't command relayd through the control socket") {
  Connected connected;
  const auto mark = connected.world.relay().log().mark();
  connected.attack("unix " + connected.control().string());
  connected.world.relay().log().wait_text("asked on the control socket, and was refused", mark);
  CHECK(connected.world.relay().log().count_text("relayd reloads its configuration") == 0);
  connected.is_unharmed();
}

TEST_CASE("captured connector: nonsense to workers and supervisor costs it its life, and no session") {
  for (const char* nonsense : {"garbage 1 3", "garbage 1 60000", "garbage 1000 17"}) {
    CAPTURE(nonsense);
    Connected connected;
    connected.attack(nonsense);
    connected.is_unharmed();
  }
}

TEST_CASE("captured connector: it changes neither the log nor its own protection") {
  Connected().must_fail({{"set_flags 2 0", "EPERM"},
                         {"blocking 2", "ENOTTY"},
                         {"write_at 2", "EPERM"},
                         {"dumpable", "EPERM"},
                         {"death_signal", "EPERM"},
                         {"seccomp", "EPERM"},
                         {"unshare", "EPERM"},
                         {"setuid", "EPERM"}});
}
