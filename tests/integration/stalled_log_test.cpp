// Standard error is not read (journald stopped, a terminal held with ^S, `relayd 2>&1 | less`) or is closed.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A named pipe. Its contents stay there until read() is called.
class UnreadPipe {
 public:
  // `mode`: with 0600 a daemon with its own user cannot open the pipe by name, and has only the inherited descriptor.
  explicit UnreadPipe(unsigned mode) {
    fs::permissions(directory_ / "", fs::perms::all);
    if (mkfifo(path().c_str(), 0600) != 0 || chmod(path().c_str(), mode) != 0) fail_errno("mkfifo " + path());
    fd_ = open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd_ < 0) fail_errno("open " + path());
  }
  ~UnreadPipe() { close(fd_); }
  UnreadPipe(const UnreadPipe&) = delete;
  UnreadPipe& operator=(const UnreadPipe&) = delete;

  std::string path() const { return directory_ / "log"; }
  void fill() {
    while (write(fd_, "{}\n", 3) == 3) {
    }
  }
  // Reads until a line fits. Each line must be JSON, except a sanitizer's output.
  Json wait(const JsonPredicate& fits) {
    const Deadline deadline = patience();
    for (;;) {
      for (size_t end; (end = text_.find('\n')) != text_.npos;) {
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
#if defined(MQTT_RELAY_SANITIZED)
        if (line.starts_with("==")) continue;
#endif
        if (const Json parsed = Json::parse(line); fits(parsed)) return parsed;
      }
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, deadline.poll_timeout()) <= 0) throw Failure("the line did not come; after: " + text_);
      char bytes[65536];
      const ssize_t got = ::read(fd_, bytes, sizeof bytes);
      if (got > 0) text_.append(bytes, static_cast<size_t>(got));
    }
  }

 private:
  TempDir directory_;
  std::string text_;
  int fd_ = -1;
};

Json status_of(World& world) {
  const auto asked = world.relay().ask_relayd({"status", "--json"});
  if (asked.status.code != 0) throw Failure("mqtt-relay status: " + asked.err);
  return Json::parse(asked.out);
}

bool tells_of_dropped(const Json& line) {
  return line.value("msg", "").find("lines were dropped") != std::string::npos;
}

}  // namespace

TEST_CASE("while relayd's log is not read, devices connect, sessions continue, no worker is killed, status answers") {
  UnreadPipe log(GENERATE(0666u, 0600u));
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);
  World world({.keyd = {{"key_rate", "infinity"}},  // one key for all of them
               .relayd = {{"workers", 1}, {"worker_watchdog", "1s"}, {"control_socket", directory / "control.sock"}},
               .relayd_log_file = log.path()});
  const auto identity = device_identity("p256", 1);
  const std::string long_id(200, '"');  // escaped in the log, two bytes each
  for (const auto& id : {std::string("before"), long_id}) world.give_key(id, identity);
  auto before = world.device(identity);
  before.join("before");
  log.fill();
  const auto worker = status_of(world)["workers"][0].at("pid");

  uint64_t dropped = 0;
  for (int devices = 0; dropped == 0; devices++) {
    if (devices % 64 == 63) dropped = status_of(world)["total"].at("log_lines_dropped");
    auto device = world.device(identity);
    device.join(long_id);
    device.disconnect();
    device.tls().read_to_end();
  }
  before.ping();
  // Longer than the watchdog's timeout.
  CHECK_FALSE(before.tls().readable(std::chrono::milliseconds(2500)));
  before.ping();
  CHECK(status_of(world)["workers"][0].at("pid") == worker);
  CHECK(log.wait(tells_of_dropped).at("dropped").get<uint64_t>() > 0);
}

TEST_CASE("while keyd's log is not read, keyd signs, and writes what it had to say once the log is read again") {
  UnreadPipe log(GENERATE(0666u, 0600u));
  World world({.keyd_log_file = log.path()});
  const auto identity = device_identity("p256", 1);
  log.fill();
  world.relay().give_file("device.pem", "not a key\n");
  CHECK(world.refusal(identity, "device", mqtt::v311) != 0);
  world.give_key("device", identity);
  auto device = world.device(identity);
  device.join("device");
  device.ping();
  log.wait([](const Json& line) {
    return line.value("level", "") == "warning" && line.dump().find("device.pem") != std::string::npos;
  });
}

TEST_CASE("started with closed standard descriptors, relayd serves, stops cleanly and writes no log into a socket") {
  const int first = GENERATE(0, 1, 2);
  World world({.relayd_before_exec = [first] {
    for (int fd = first; fd <= 2; fd++) close(fd);
    return true;
  }});
  const auto identity = device_identity("p256", 1);
  world.give_key("device", identity);
  auto device = world.device(identity);
  device.join("device");
  world.relay().relayd().signal(SIGHUP);
  world.relay().notified().wait_line("READY=1", world.relay().relayd());
  world.device(identity).join("local").ping();
  device.ping();
}
