// What an attacker in the monitor gains: the numbers that it publishes.
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/captured/gateway.h"
#include "tests/integration/harness/raw_tls.h"

using namespace captured;
using namespace harness;

namespace {

class Monitored {
 public:
  Monitored() : world({.relayd = {{"metrics", {{"bind", metrics_.text()}}}}, .start = false}) {
    capture(world, "mqtt-relayd-monitor", "captured_monitor");
    world.relay().start();
    world.give_key("steady", identity_);
    steady_.emplace(world.device(identity_));
    steady_->join("steady");
  }

  std::string attack(const std::string& command) {
    RawSocket socket(metrics_);
    socket.send("captured " + command + "\n");
    std::string answer;
    try {
      for (std::string more = "+"; !more.empty();) answer += more = socket.receive();
    } catch (const Failure&) {  // it died
    }
    return answer.size() > 1 && answer.back() == '\n' ? answer.substr(1, answer.size() - 2) : "killed";
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
    steady_.reset();  // relayd would wait for it
    world.relay().relayd().signal(SIGTERM);
    CHECK(world.relay().relayd().wait().code == 0);
    world.relay().start_relayd();
    steady_.emplace(world.device(identity_));
    steady_->join("steady");
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
  const Endpoint metrics_{own_address(), ports::direct};

 public:
  World world;

 private:
  const Identity identity_ = device_identity("p256", 1);
  std::optional<Device> steady_;
  int newcomers_ = 0;
};

}  // namespace

TEST_CASE("captured monitor: it opens no file, makes no socket and no executable memory") {
  Monitored().must_fail({{"nothing", "done"},
                         {"open /etc/passwd", "EPERM"},
                         {"openat2 /", "EPERM"},
                         {"create /tmp/captured", "EPERM"},
                         {"socket " + std::to_string(AF_INET) + " 1 0", "EPERM"},
                         {"socket " + std::to_string(AF_UNIX) + " 1 0", "EPERM"},
                         {"map " + std::to_string(PROT_EXEC), "EPERM"},
                         {"mprotect", "EPERM"},
                         {"memfd", "EPERM"},
                         {"io_uring", "EPERM"},
                         {"bpf", "EPERM"}});
}

TEST_CASE("captured monitor: it signals no other process") {
  Monitored monitored;
  const std::string supervisor = std::to_string(monitored.world.relay().relayd().pid()),
                    worker = std::to_string(monitored.world.relay().workers().at(0));
  monitored.must_fail({{"kill " + supervisor + " 9", "EPERM"},
                       {"kill " + worker + " 9", "EPERM"},
                       {"tgkill " + worker, "EPERM"},
                       {"sigqueue " + supervisor, "EPERM"},
                       {"pidfd " + supervisor, "EPERM"},
                       {"owner " + supervisor, "EPERM EPERM EPERM"},
                       {"terminal", "EPERM EPERM EPERM"}});
}

TEST_CASE("captured monitor: executing, forking or tracing kills it, and the supervisor starts another") {
  Monitored monitored;
  const std::string supervisor = std::to_string(monitored.world.relay().relayd().pid());
  monitored.must_fail({{"execve /bin/true", "killed"},
                       {"ptrace " + supervisor, "killed"},
                       {"vm_read " + supervisor, "killed"},
                       {"fork", "EPERM"},
                       {"nothing", "done"}});
}

TEST_CASE("captured monitor: it can't stop the scrapes of its successor") {
  Monitored().must_fail({{"listener:shutdown", "EPERM"},
                         {"listener:block", "EPERM"},
                         {"listener:filter", "EPERM"},
                         {"listener:disconnect", "EPERM"}});
}

TEST_CASE("captured monitor: nonsense and floods on its socket cost it its life, and nothing else") {
  Monitored monitored;
  for (const char* command : {"ask 1 5", "ask 500 4"}) {
    CAPTURE(command);
    const auto mark = monitored.world.relay().log().mark();
    monitored.attack(command);
    monitored.world.relay().log().wait_text("monitor started", mark);
    monitored.serves();
  }
  monitored.is_unharmed();
}

TEST_CASE("captured monitor: it changes neither the log nor its own protection") {
  Monitored().must_fail({{"set_flags 2 0", "EPERM"},
                         {"blocking 2", "EPERM"},
                         {"write_at 2", "EPERM"},
                         {"dumpable", "EPERM"},
                         {"death_signal", "EPERM"},
                         {"limits 0", "EPERM"},
                         {"unshare", "EPERM"},
                         {"setuid", "EPERM"}});
}
