// A separate process, the monitor, serves /metrics. It holds nothing else and can do nothing else. Whatever happens to
// it or its clients, devices and the operator's commands are unaffected.

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr char kRequest[] = "GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n";

struct Monitored {
  const TempDir directory;
  const Endpoint metrics{own_address(), ports::direct};
  World world;

  Monitored() : world(options()) {}
  WorldOptions options() const {
    fs::permissions(directory / "", fs::perms::all);  // relayd runs as another user
    return {.relayd = {{"metrics", {{"bind", metrics.text()}}}, {"control_socket", directory / "control.sock"}}};
  }

  std::string scrape(const std::string& request = kRequest) const {
    RawSocket socket(metrics);
    socket.send(request);
    return socket.receive_to_end();
  }
  // The operator's status, read from the control socket directly, without a program between this test and relayd.
  Json status() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (directory / "control.sock").string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail_errno("connect to relayd");
    RawSocket control(fd);
    control.send("{\"command\":\"status\"}\n");
    return Json::parse(control.receive_to_end()).at("status");
  }
  pid_t pid() const { return status().at("monitor").at("pid"); }
  pid_t wait_for_another(size_t mark) {
    return world.relay()
        .log()
        .wait_json([](const Json& line) { return line.value("msg", "") == "monitor started"; }, "a new monitor", mark)
        .at("pid");
  }
  Device join(const std::string& id) { return world.join(id); }
};

// A process's descriptors and their kinds, such as "3 socket, 4 socket", without the standard descriptors.
std::string descriptors_of(pid_t pid) {
  const fs::path folder = "/proc/" + std::to_string(pid) + "/fd";
  const auto standard_error = fs::read_symlink(folder / "2");
  std::map<int, std::string> open;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const int number = std::stoi(entry.path().filename());
    std::error_code gone;
    const auto target = fs::read_symlink(entry.path(), gone);
    if (gone) continue;  // closed meanwhile
    // Standard error may be open a second time, as a non-blocking description (common/output.h).
    if (number > 2 && target != standard_error) open[number] = target.string().substr(0, target.string().find(':'));
  }
  std::string text;
  for (const auto& [number, what] : open) text += (text.empty() ? "" : ", ") + std::to_string(number) + " " + what;
  return text;
}

// Two sockets and nothing else, once the last client's connection has closed.
std::string descriptors_without_clients(pid_t pid) {
  const Deadline deadline = patience();
  while (descriptors_of(pid) != "3 socket, 4 socket" && !deadline.over()) {
  }
  return descriptors_of(pid);
}

// Simulates a hang. All threads of the process have stopped when this returns.
void stop(pid_t pid) {
  REQUIRE(kill(pid, SIGSTOP) == 0);
  const Deadline deadline = patience();
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task"))
    while (read_file(task.path() / "status").find("State:\tT") == std::string::npos)
      if (deadline.over()) FAIL("it does not stop");
}

}  // namespace

TEST_CASE("a separate monitor process serves metrics, it has two sockets and no files, and can open neither",
          "[root]") {
  NEEDS_ROOT();
  Monitored test;
  REQUIRE(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
  const pid_t pid = test.pid();
  const std::string folder = "/proc/" + std::to_string(pid);
  CHECK(read_file(folder + "/comm") == "relayd-monitor\n");
  CHECK(user_of(pid) == relay_user);
  CHECK(descriptors_without_clients(pid) == "3 socket, 4 socket");
  if (under_sanitizer)
    return;  // the sanitizer's runtime needs more system calls, more memory, and options in its environment
  CHECK(read_file(folder + "/environ").empty());
  size_t threads = 0;
  for (const auto& task : fs::directory_iterator(folder + "/task")) {
    const auto status = read_file(task.path() / "status");
    CHECK(status.find("\nSeccomp:\t2") != status.npos);
    CHECK(status.find("\nNoNewPrivs:\t1") != status.npos);
    threads++;
  }
  CHECK(threads == 17);  // the first thread waits for the supervisor to end
  const auto limits = read_file(folder + "/limits");
  CHECK(limits.find("Max address space         268435456            268435456") != limits.npos);
  CHECK(limits.find("Max open files            32                   32") != limits.npos);
  if (test.world.relay().log().count_text("sandbox is weaker") != 0) {
    WARN("SKIPPED: this kernel has no Landlock");
    return;
  }
  // The monitor has tried its own sandbox.
  const Json said = test.world.relay().log().wait_json(
      [](const Json& line) { return line.value("msg", "").starts_with("monitor is sandboxed"); }, "its own trial");
  for (const char* attempt : {"open(\"/\")", "socket()"}) CHECK(said.at(attempt) == strerror(EPERM));
}

TEST_CASE("a killed monitor is replaced, the next scrape is answered, and sessions continue") {
  Monitored test;
  auto device = test.join("device");
  for (int life = 1; life <= 2; life++) {
    const pid_t pid = test.pid();
    const auto mark = test.world.relay().log().mark();
    REQUIRE(kill(pid, SIGKILL) == 0);
    CHECK(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(test.wait_for_another(mark) != pid);
    CHECK(test.status().at("monitor").at("restarts") == life);
    device.ping();
  }
  CHECK(test.world.relay().log().count_text("the monitor died") == 1);  // the cascade is not logged
}

TEST_CASE("a stopped monitor delays neither devices nor the operator's commands") {
  Monitored test;
  auto device = test.join("device");
  const pid_t pid = test.pid();
  stop(pid);
  RawSocket waiting(test.metrics);
  waiting.send(kRequest);
  device.ping();
  test.join("another").ping();
  CHECK(test.status().at("monitor") == Json({{"pid", pid}, {"state", "serving"}, {"restarts", 0}}));
  CHECK(test.world.relay().reload().value("msg", "") == "relayd reloaded");
  REQUIRE(kill(pid, SIGCONT) == 0);
  CHECK(waiting.receive_to_end().find("mqtt_relay_reloads_total{result=\"ok\"} 1\n") != std::string::npos);
}

TEST_CASE("a few silent or slow scrapers delay no other, a crowd of them delays others by at most 5 s") {
  Monitored test;
  std::vector<RawSocket> silent;
  for (int i = 0; i < 15; i++) silent.emplace_back(test.metrics);
  for (size_t i = 0; i < 8; i++) silent[i].send("GET /metrics HTTP/1.1\r\nHost");
  CHECK(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
  const auto begin = Clock::now();
  for (int i = 0; i < 10; i++) silent.emplace_back(test.metrics);  // more than the monitor has threads
  CHECK(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(Clock::now() - begin < std::chrono::seconds(8));
  for (size_t i = 0; i < 15; i++) CHECK(silent[i].receive_to_end().empty());
}

TEST_CASE("bytes that are not HTTP cost their sender the connection, and affect no other scraper") {
  Monitored test;
  const pid_t pid = test.pid();
  CHECK(test.scrape("\x16\x03\x01 hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(test.scrape("GET /x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(test.scrape("POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\nsome body").starts_with("HTTP/1.1 405 "));
  CHECK(test.scrape("GET /metrics HTTP/1.1\r\nX: " + std::string(1 << 20, 'x')).starts_with("HTTP/1.1 431 "));
  CHECK(test.scrape(std::string(4096, '\0')).starts_with("HTTP/1.1 431 "));
  CHECK(test.scrape("\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(test.scrape(std::string(kRequest) + kRequest).find("HTTP/1.1", 8) == std::string::npos);  // a single answer
  CHECK(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(test.pid() == pid);
}

TEST_CASE("a flood of long requests costs the monitor little memory and leaves no descriptor open") {
  NEEDS_NO_SANITIZER();
  NEEDS_ROOT();
  Monitored test;
  const pid_t pid = test.pid();
  std::string long_head = "GET /metrics HTTP/1.1\r\n";
  while (long_head.size() < 1 << 18) long_head += "a: b\r\n";
  for (int i = 0; i < 200; i++) CHECK(test.scrape(long_head).starts_with("HTTP/1.1 431 "));
  CHECK(peak_memory(pid) < 32 << 20);
  CHECK(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(descriptors_without_clients(pid) == "3 socket, 4 socket");
}

TEST_CASE("a compromised monitor gains nothing but its own death: relayd trusts nothing that it sends", "[root]") {
  NEEDS_ROOT();
  Monitored test;
  auto device = test.join("device");
  const auto [message, times, cause] =
      GENERATE(std::tuple(std::string("quest"), 1, "it sent something other than a question"),
               std::tuple(std::string("abc"), 1, "it sent something other than a question"),
               std::tuple(std::string(4096, 'x'), 1, "it sent something other than a question"),
               std::tuple(std::string("0123"), 150, "it asked too often"));
  const pid_t pid = test.pid();
  const auto mark = test.world.relay().log().mark();
  // Takes over the monitor's end of the socket pair.
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  const auto stolen = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, 4, 0));
  REQUIRE(stolen >= 0);
  stop(pid);  // so that it reads no answer; relayd must not wait for it
  for (int i = 0; i < times; i++) send(stolen, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  CHECK(test.wait_for_another(mark) != pid);
  close(stolen);
  close(pidfd);
  CHECK(test.world.relay()
            .log()
            .wait_json([](const Json& line) { return line.value("msg", "").starts_with("the monitor died"); }, "why",
                       mark)
            .at("cause") == std::string("killed by relayd because ") + cause);
  device.ping();
  CHECK(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("the monitor ignores signals from the terminal, and exits when the supervisor ends, however it ends") {
  Monitored test;
  const pid_t pid = test.pid();
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) REQUIRE(kill(pid, number) == 0);
  CHECK(test.scrape().starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(test.pid() == pid);
  test.world.relay().relayd().kill();
  const Deadline deadline = patience();
  while (kill(pid, 0) == 0 && read_file("/proc/" + std::to_string(pid) + "/stat").find(") Z ") == std::string::npos)
    if (deadline.over()) FAIL("the monitor lives on");
}

TEST_CASE("a missing or unusable monitor program stops relayd, which reports its path") {
  World world({.relayd = {{"metrics", {{"bind", own_address() + ":18884"}}}}, .start = false});
  world.relay().start_keyd();
  const auto monitor = world.directory / "libexec/mqtt-relayd-monitor";
  std::string cause;
  SECTION("the program is missing") {
    fs::remove(monitor);
    cause = "No such file";
  }
  SECTION("the program is not executable") {
    fs::permissions(monitor, fs::perms::owner_read);
    cause = "Permission denied";
  }
  const auto ended = world.relay().run_relayd();
  CHECK(ended.status.code == 1);
  for (const std::string& part : {std::string("libexec/mqtt-relayd-monitor"), cause})
    CHECK(ended.err.find(part) != std::string::npos);
}
