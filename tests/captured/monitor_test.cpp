// What an attacker in the monitor gains: the numbers that it publishes.
#include "tests/captured/gateway.h"

using namespace captured;
using namespace harness;

namespace {

Endpoint metrics() { return {own_address(), ports::direct}; }

class Monitored : public Installation {
 public:
  Monitored()
      : Installation({.relayd = {{"metrics", {{"bind", metrics().text()}}}}}, "mqtt-relayd-monitor",
                     "captured_monitor") {
    start();
  }

 private:
  std::string carry_out(const std::string& command) override {
    RawSocket socket(metrics());
    socket.send("captured " + command + "\n");
    const std::string answer = answer_on(socket);
    return answer.size() > 1 ? answer.substr(1) : "killed";
  }
};

}  // namespace

TEST_CASE("captured monitor: it opens no file, makes no socket and no executable memory") {
  Monitored().must_fail(files_sockets_and_code());
}

TEST_CASE("captured monitor: it signals no other process") {
  Monitored().must_fail(signals_to({"@supervisor", "@sibling"}));
}

TEST_CASE("captured monitor: executing, forking or tracing kills it, and the supervisor starts another") {
  Monitored().must_fail({{"execve /bin/true", "killed"},
                         {"ptrace @supervisor", "killed"},
                         {"vm_read @supervisor", "killed"},
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
    const auto mark = monitored.relay().log().mark();
    monitored.attack(command);
    monitored.relay().log().wait_text("monitor started", mark);
    monitored.serves();
  }
  monitored.is_unharmed();
}

TEST_CASE("captured monitor: it changes neither the log nor its own protection") {
  Monitored monitored;
  monitored.attempt(log_and_protection());
  monitored.must_fail({{"blocking 2", "EPERM"}, {"limits 0", "EPERM"}});
}
