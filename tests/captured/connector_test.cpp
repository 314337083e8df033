// What an attacker in the connector gains: the connections that it makes anyhow.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/operator/checks.h"
#include "tests/captured/gateway.h"

using namespace captured;
using namespace harness;

namespace {

// The connector is captured. Each connector that relayd starts connects to the test for its commands.
class Connected : public Installation {
 public:
  explicit Connected(const Json& more = Json::object())
      : Installation({.relayd = {{"workers", 2}, {"shutdown_timeout", "1s"}}}, "mqtt-relayd-connector",
                     "captured_connector") {
    relay().patch_relayd(more);
    fs::create_directory(control().parent_path());
    fs::permissions(control().parent_path(), fs::perms::all);  // relayd runs as another user
    relay().patch_relayd({{"control_socket", control()}});
    const std::string path = world.directory / "relay/run/captured.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listening_.get(), 16) != 0 || chmod(path.c_str(), 0777) != 0)
      fail_errno("captured.sock");
    start();
    take_command();
  }
  fs::path control() const { return world.directory / "control/control.sock"; }

 private:
  // Waits for the next connector.
  void take_command() { command_.emplace(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  std::string carry_out(const std::string& command) override {
    command_->send(command);
    const std::string answer = answer_on(*command_);
    if (answer.size() > 1) return answer.substr(1);
    take_command();
    return "killed";
  }
  void was_reloaded() override { take_command(); }

  const common::Fd listening_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::optional<RawSocket> command_;
};

}  // namespace

TEST_CASE("captured connector: it reads no key, writes no file and makes no executable memory") {
  Connected connected;
  connected.must_fail({{"nothing", "done"},
                       {"open " + (connected.relay().keys() / "steady.pem").string(), "EACCES"},
                       {"open " + connected.relay().relayd_configuration().string(), "EACCES"},
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

TEST_CASE("captured connector: with source addresses it binds to no port of its choice, and never listens") {
  if (common::landlock_abi() < 4) {
    WARN("SKIPPED: this kernel's Landlock does not restrict ports");
    return;
  }
  Connected connected(Json{{"remote", {{"bind", {own_address()}}}}});
  const auto listen_at = [](uint16_t port) { return "listen " + own_address() + " " + std::to_string(port); };
  connected.must_fail(
      {{listen_at(ports::unused), "EACCES"}, {listen_at(0), "EPERM"}, {listen_at(ports::remote), "EACCES"}});
}

TEST_CASE("captured connector: it signals no other process") {
  Connected().must_fail(signals_to({"@supervisor", "@sibling"}));
}

TEST_CASE("captured connector: executing or tracing kills it, sessions go on, and another one serves newcomers") {
  Connected().must_fail({{"execve /bin/true", "killed"}, {"ptrace @supervisor", "killed"}});
}

TEST_CASE("captured connector: it can't command relayd through the control socket") {
  Connected connected;
  const auto mark = connected.relay().log().mark();
  connected.attack("unix " + connected.control().string());
  connected.relay().log().wait_text("asked on the control socket, and was refused", mark);
  CHECK(connected.relay().log().count_text("relayd reloads its configuration") == 0);
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
  Connected connected;
  connected.attempt(log_and_protection());
  connected.must_fail({{"blocking 2", "EPERM"}});
}
