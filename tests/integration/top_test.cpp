// `mqtt-relay top`, in a real terminal and into a pipe.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/office.h"
#include "tests/integration/harness/terminal.h"

using namespace harness;

namespace {

Terminal top(const Office& office, const std::vector<std::string>& more = {}, const TerminalOptions& options = {},
             const std::vector<std::string>& environment = {}) {
  std::vector<std::string> words{"top", "--config", const_cast<Office&>(office).world.relay().relayd_configuration()};
  words.insert(words.end(), more.begin(), more.end());
  ProcessOptions program = const_cast<Office&>(office).world.relay().operator_command(words);
  program.environment = environment;
  return Terminal(program, options);
}

// As a shell would find it.
void check_clean(const Terminal& terminal) {
  const termios now = terminal.modes(), before = terminal.modes_before();
  CHECK(now.c_iflag == before.c_iflag);
  CHECK(now.c_oflag == before.c_oflag);
  CHECK(now.c_lflag == before.c_lflag);
  CHECK_FALSE(terminal.alternate());
  CHECK(terminal.cursor_visible());
}

std::string line_with(const Terminal& terminal, const std::string& text) {
  for (const std::string& line : terminal.lines())
    if (line.find(text) != std::string::npos) return line;
  return "";
}

// utime and stime (proc(5)).
double processor_ticks(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; i++) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

}  // namespace

TEST_CASE("top shows on a terminal whether the relay is ready, its workers and the busiest device with its rates") {
  Office office(2);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("busy-1", identity);
  auto busy = world.device(identity), quiet = world.device(identity);
  busy.join("busy-1", mqtt::v5);
  quiet.join("quiet-1");
  const auto type = GENERATE("xterm-256color", "vt100", "screen");
  CAPTURE(type);
  Terminal screen = top(office, {}, {.type = type});
  screen.wait_for("Ready: new devices are accepted");
  screen.wait_for("quiet-1");
  const std::string payload(500, 'x');
  screen.wait_until(
      [&] {
        busy.publish("any/topic", payload, 1);
        const std::string line = line_with(screen, "busy-1");
        return line.find("KiB") != line.npos && line.find("–") == line.npos;
      },
      "the rate of busy-1");
  CAPTURE(screen.screen());
  CHECK(screen.lines().at(0).starts_with("mqtt-relay "));
  CHECK(screen.screen().find("busy-1") < screen.screen().find("quiet-1"));
  CHECK(line_with(screen, "busy-1").find("remote") != std::string::npos);
  CHECK(line_with(screen, "quiet-1").find("local") != std::string::npos);
  CHECK(line_with(screen, "Sessions").find("of 2 connections") != std::string::npos);
  CHECK(line_with(screen, "Handshakes/s").find("serving") != std::string::npos);  // beside it, the second worker
  CHECK(screen.lines().back().starts_with("q quit"));
  CHECK((screen.coloured() > 0) == (type != std::string("vt100")));
  screen.type("q");
  CHECK(screen.wait().code == 0);
  check_clean(screen);
}

TEST_CASE("top shows what is refused, and why, while it happens") {
  Office office(1);
  World& world = office.world;
  Terminal screen = top(office);
  screen.wait_for("Nothing was refused, nothing failed.");
  const auto identity = device_identity("p256", 1);
  const auto other = device_identity("p256", 2);
  world.give_key("dev-1", other);  // not the key of its certificate
  screen.wait_until(
      [&] {
        world.refusal(identity, "dev-1", mqtt::v5);
        const std::string line = line_with(screen, "CONNACK ");
        return !line.empty() && line.find(" 0") == line.npos;
      },
      "a refusal with its rate");
  CAPTURE(screen.screen());
  CHECK(screen.shows("REFUSED AND FAILED"));
  screen.type("q");
  CHECK(screen.wait().code == 0);
}

TEST_CASE("top leaves the terminal as it was when a signal ends it") {
  Office office(1);
  const int number = GENERATE(SIGINT, SIGTERM, SIGHUP, SIGQUIT);
  CAPTURE(number);
  Terminal screen = top(office);
  screen.wait_for("q quit");
  CHECK(screen.alternate());
  CHECK_FALSE(screen.cursor_visible());
  CHECK((screen.modes().c_lflag & (ECHO | ICANON)) == 0);
  if (number == SIGINT) screen.type("\x03");
  else screen.program().signal(number);
  CHECK(screen.wait().code == 0);
  check_clean(screen);
}

TEST_CASE("top ends by itself after --count samples, and when its terminal is gone") {
  Office office(1);
  Terminal counted = top(office, {"--count", "1"});
  CHECK(counted.wait().code == 0);
  CHECK(counted.written().find("Ready: new devices") != std::string::npos);
  check_clean(counted);

  Terminal gone = top(office, {"--interval", "1h"});
  gone.wait_for("q quit");
  gone.hang_up();
  CHECK(gone.wait().code == 0);
}

TEST_CASE("top gives the terminal back at ^Z, and fg brings the screen again") {
  Office office(1);
  ProcessOptions shell{.argv = {"/bin/bash", "--norc", "--noprofile", "-i"}, .environment = {"PS1=prompt> "}};
  const ProcessOptions command =
      office.world.relay().operator_command({"top", "--config", office.world.relay().relayd_configuration()});
  shell.user = command.user;
  Terminal screen(shell);
  screen.wait_for("prompt>");
  std::string words;
  for (const std::string& word : command.argv) words += word + " ";
  screen.type(words + "\r");
  screen.wait_for("q quit");
  CHECK(screen.alternate());
  screen.type("\x1a");
  screen.wait_for("Stopped");
  CHECK_FALSE(screen.alternate());
  CHECK(screen.cursor_visible());
  screen.type("fg\r");
  screen.wait_for("q quit");
  screen.type("q");
  screen.wait_until([&] { return !screen.alternate(); }, "the shell's screen");
  screen.type("echo back in the $((1+1))nd shell\r");
  screen.wait_for("back in the 2nd shell");
  screen.type("exit\r");
  CHECK(screen.wait().code == 0);
}

TEST_CASE("top fits a terminal of any size, and follows its changes") {
  Office office(2);
  auto device = office.world.device(device_identity("p256", 1));
  device.join("local-1");
  Terminal screen = top(office);
  screen.wait_for("local-1");
  CHECK_FALSE(screen.shows("TIMES"));
  screen.resize(40, 132);
  screen.wait_for("TIMES");
  screen.wait_for("DEVICE  ");
  screen.wait_until([&] { return screen.lines().back().starts_with("q quit"); }, "the keys, in the last line");
  screen.resize(10, 40);
  screen.wait_until([&] { return !screen.shows("TIMES") && screen.shows("Ready: new devices"); }, "a small screen");
  screen.resize(1, 1);
  screen.wait_until([&] { return screen.screen().size() <= 2; }, "a screen of one character");
  screen.resize(24, 80);
  screen.wait_for("local-1");
  screen.type("q");
  CHECK(screen.wait().code == 0);
  check_clean(screen);
}

TEST_CASE("top obeys its keys: sort, pause, interval, help") {
  Office office(1);
  auto device = office.world.device(device_identity("p256", 1));
  device.join("local-1");
  Terminal screen = top(office, {"--sort", "client"});
  screen.wait_for("DEVICES, BY client id");
  screen.type("s");
  screen.wait_for("BUSIEST DEVICES, BY bytes/s");
  screen.type("4");
  screen.wait_for("DEVICES, BY age, newest first");
  screen.type("+");
  screen.wait_for("+/- every 2 s");
  screen.type("--");
  screen.wait_for("+/- every 1 s");
  screen.type("p");
  screen.wait_for("PAUSED");
  screen.type(" ");
  screen.wait_until([&] { return !screen.shows("PAUSED"); }, "the end of the pause");
  screen.type("h");
  screen.wait_for("bytes since they connected");
  screen.type("?");
  screen.wait_for("local-1");
  screen.type("\x1b[A\x1bOP");  // keys without a meaning
  screen.type("q");
  CHECK(screen.wait().code == 0);
}

TEST_CASE("top says since when relayd doesn't answer, and shows it again when it is back") {
  Office office(1);
  Terminal screen = top(office);
  screen.wait_for("Ready: new devices are accepted");
  SECTION("it is gone") {
    office.world.relay().relayd().signal(SIGTERM);
    office.world.relay().relayd().wait();
    screen.wait_for("relayd doesn't answer since ");
    screen.wait_for("; what follows is of ");
    screen.wait_for("control.sock: ");
    office.world.relay().start_relayd();
  }
  SECTION("it hangs, and keys are obeyed meanwhile") {
    office.world.relay().relayd().signal(SIGSTOP);
    screen.type("4");
    screen.wait_for("BY age, newest first");
    screen.wait_for("no answer in 3 s");
    office.world.relay().relayd().signal(SIGCONT);
  }
  screen.wait_for("Ready: new devices are accepted");
  screen.type("q");
  CHECK(screen.wait().code == 0);
}

TEST_CASE("a hostile client id does nothing to the terminal of top, and a UTF-8 one is shown as it is") {
  Office office(1, {{"local", nullptr}});  // the built-in broker takes any client id
  const std::string evil = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\u202e";
  auto device = office.world.device(device_identity("p256", 1)),
       other = office.world.device(device_identity("p256", 2));
  device.join(evil);
  other.join("Pumpe-Süd-水");
  Terminal screen = top(office, {}, {.columns = 130});
  screen.wait_for("\\x1b]0;owned");
  screen.wait_for("Pumpe-Süd-水");
  CAPTURE(screen.screen());
  CHECK(screen.title().empty());
  CHECK(screen.written().find("owned\x07") == std::string::npos);
  CHECK(screen.lines().at(0).starts_with("mqtt-relay"));
  screen.type("q");
  CHECK(screen.wait().code == 0);

  Terminal ascii = top(office, {}, {.columns = 130, .locale = "C"});
  ascii.wait_for("Pumpe-S?d-?");
  CHECK(ascii.shows("^ BYTES/s"));
  ascii.type("q");
  CHECK(ascii.wait().code == 0);
}

TEST_CASE("top respects NO_COLOR, and says which terminals it can't use") {
  Office office(1);
  Terminal plain = top(office, {}, {}, {"NO_COLOR=1"});
  plain.wait_for("Ready: new devices are accepted");
  CHECK(plain.coloured() == 0);
  plain.type("q");
  CHECK(plain.wait().code == 0);

  for (const auto& [type, said] : {std::pair("dumb", "found TERM=dumb, a terminal that can't place its cursor"),
                                   std::pair("no-such", "found TERM=no-such, which terminfo doesn't know here")}) {
    Terminal unusable = top(office, {}, {.columns = 200, .type = type});
    CHECK(unusable.wait().code == 1);
    CHECK(unusable.shows(said));
    check_clean(unusable);
  }
}

TEST_CASE("top writes a JSON line a sample into a pipe, with rates from the first one on") {
  Office office(2);
  World& world = office.world;
  auto device = world.device(device_identity("p256", 1));
  device.join("local-1");
  const auto asked = office.ask({"top", "--count", "2", "--sort", "client"});
  CAPTURE(asked.out, asked.err);
  REQUIRE(asked.status.code == 0);
  std::istringstream lines(asked.out);
  size_t count = 0;
  for (std::string text; std::getline(lines, text); count++) {
    const Json line = Json::parse(text);
    CHECK(line.at("ready") == true);
    CHECK(line.at("seconds") > 0.9);
    CHECK(line.at("sessions") == 1);
    CHECK(line.at("messages_up_per_second") == 0);
    CHECK(line.at("workers").size() == 2);
    CHECK(line.at("devices").at(0).at("client_id") == "local-1");
    CHECK(line.at("devices").at(0).at("bytes_up_per_second") == 0);
  }
  CHECK(count == 2);

  const auto wrong = office.ask({"top", "--interval", "0"});
  CHECK(wrong.status.code == 64);
  CHECK(wrong.err.find("allowed: 1s to 1h") != std::string::npos);
  world.relay().relayd().signal(SIGTERM);
  world.relay().relayd().wait();
  const auto away = office.ask({"top"});
  CHECK(away.status.code == 69);
  CHECK(away.err.find("is relayd running with this control_socket?") != std::string::npos);
  world.relay().start_relayd();
}

// Prints its figures in one line. The devices are with the built-in broker.
TEST_CASE("top of thousands of devices hardly delays a message", "[.][long]") {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const size_t count = std::min<size_t>(4000, limit.rlim_cur / 4);
  Office office(2, {{"local", nullptr}});
  const auto identity = device_identity("p256", 1);
  std::vector<Device> devices;
  for (size_t i = 0; i < count; i++) {
    devices.push_back(office.world.device(identity));
    devices.back().join("device-" + std::to_string(i));
  }
  const auto p99 = [&](auto until) {
    std::vector<double> all;
    for (size_t i = 0; !until(); i++) {
      const auto begun = Clock::now();
      devices[i % devices.size()].ping();
      all.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
    }
    std::ranges::sort(all);
    return all[all.size() * 99 / 100];
  };
  const auto workers = office.world.relay().workers();
  const auto processor_seconds = [&] {
    double ticks = 0;
    for (const pid_t pid : workers) ticks += processor_ticks(pid);
    return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  };
  const Deadline quiet_end(std::chrono::seconds(10));
  const double quiet = p99([&] { return quiet_end.over(); });

  Terminal screen = top(office);
  screen.wait_for("device-");
  CHECK(screen.shows("4,000 sessions, every 2 s"));
  const Deadline busy_end(std::chrono::seconds(20));
  const double busy = p99([&] { return busy_end.over(); });
  screen.type("q");
  CHECK(screen.wait().code == 0);

  // What a list costs the workers, without anything else to do.
  constexpr int kLists = 20;
  const double before = processor_seconds();
  for (int i = 0; i < kLists; i++) office.ask({"sessions"});
  const double each = (processor_seconds() - before) * 1e6 / (kLists * static_cast<double>(count));
  printf(
      "top: %zu devices, p99 of a PINGREQ %.2f ms without and %.2f ms with it; %.1f µs of a worker for each session\n",
      count, quiet, busy, each);
  CHECK(busy < 100);
  CHECK(each < 50);
}
