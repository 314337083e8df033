#include "tests/captured/gateway.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_paths.h"

namespace captured {

using namespace harness;

namespace {

// A crash of the attacker must not rest its slot: the tests want the next one at once.
const Json kTwoWorkers = {
    {"workers", 2}, {"max_restarts", 1000}, {"worker_watchdog", "1m"}, {"shutdown_timeout", "1s"}};

WorldOptions not_started(WorldOptions options) {
  options.start = false;
  return options;
}

Json merged(Json base, const Json& more) {
  base.merge_patch(more);
  return base;
}

int passed_socket(const Endpoint& at) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(at.port);
  inet_pton(AF_INET, at.host.c_str(), &address.sin_addr);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 64) != 0)
    fail_errno("a listening socket");
  return fd;
}

}  // namespace

std::string Captive::attack(std::string command) {
  if (command.find('@') != command.npos)
    for (const auto& [name, pid] : pids())
      if (const size_t at = command.find(name); at != command.npos)
        command.replace(at, name.size(), std::to_string(pid));
  return carry_out(command);
}

void Captive::attempt(const std::vector<Trial>& trials) {
  for (const auto& [command, outcome] : trials) {
    CAPTURE(command);
    CHECK(attack(command) == outcome);
    goes_on();
  }
}

Installation::Installation(WorldOptions options, const std::string& name, const std::string& attacker)
    : world(not_started(std::move(options))) {
  const fs::path place = world.directory / ("libexec/" + name);
  fs::remove(place);
  fs::copy_file(fs::path(MQTT_RELAY_CAPTURED) / attacker, place);
}

void Installation::start() {
  relay().start();
  steady.emplace(newcomer("steady"));
}

Device Installation::newcomer(const std::string& id) {
  world.give_key(id, identity);
  Device device = world.device(identity);
  device.join(id);
  return device;
}

void Installation::serves() {
  steady->ping();
  newcomer("newcomer-" + std::to_string(++newcomers_)).ping();
}

void Installation::is_unharmed() {
  serves();
  CHECK(relay().reload().at("msg") == "relayd reloaded");
  was_reloaded();
  serves();
  steady.reset();  // relayd would wait for it
  relay().relayd().signal(SIGTERM);
  CHECK(relay().relayd().wait().code == 0);
  relay().start_relayd();
  steady.emplace(newcomer("steady"));
  serves();
}

void Installation::must_fail(const std::vector<Trial>& trials) {
  attempt(trials);
  is_unharmed();
}

std::vector<std::pair<std::string, pid_t>> Installation::pids() {
  return {
      {"@supervisor", relay().relayd().pid()}, {"@keyd", relay().keyd().pid()}, {"@sibling", relay().workers().back()}};
}

std::string answer_on(RawSocket& socket) {
  std::string answer;
  try {
    for (std::string more = "+"; !more.empty() && !answer.ends_with('\n');) answer += more = socket.receive();
  } catch (const Failure&) {  // a reset: the attacker died, or the real worker closed with bytes unread
  }
  if (!answer.starts_with('+')) return "";
  return answer.ends_with('\n') ? answer.substr(0, answer.size() - 1) : "+";
}

Gateway::Gateway(Layout layout, const GatewayOptions& options)
    : Installation({.keyd = options.keyd, .relayd = merged(kTwoWorkers, options.relayd)}, "mqtt-relayd-worker",
                   "captured_worker") {
  if (layout == Layout::activated) {
    socket_.reset(passed_socket(relay().endpoint()));
    relay().options().relayd_sockets = {socket_.get()};
  }
  start();
}

// Which worker takes a connection is chance. The attacker turns devices away; the other worker does not understand
// commands.
Device Gateway::newcomer(const std::string& id) {
  world.give_key(id, identity);
  const TlsContext context = TlsContext::client(&identity, authorities().root);
  for (const Deadline deadline = patience();;) try {
      Device device(TlsStream::connect(relay().endpoint(), context, Deadline(std::chrono::seconds(2))));
      device.join(id);
      return device;
    } catch (const Failure& failure) {
      if (deadline.over()) throw;
    }
}

std::string Gateway::carry_out(const std::string& command) {
  for (const Deadline deadline = patience(); !deadline.over();) {
    const auto mark = relay().log().mark();
    RawSocket socket(relay().endpoint());
    socket.send("captured " + command + "\n");
    const std::string answer = answer_on(socket);
    if (answer.empty()) continue;
    if (answer.size() > 1) return answer.substr(1);
    const auto died = [](const Json& line) { return line.value("msg", "").starts_with("worker died"); };
    const std::string cause = relay().log().wait_json(died, "the attacker's death", mark).at("cause");
    return cause.find("Bad system call") != cause.npos ? "killed" : cause;
  }
  throw Failure("the attacker does not answer to \"" + command + "\"");
}

void must_fail(const std::vector<Trial>& trials) {
  for (const Layout layout : kLayouts) {
    CAPTURE(layout == Layout::activated);
    Gateway(layout).must_fail(trials);
  }
}

}  // namespace captured
