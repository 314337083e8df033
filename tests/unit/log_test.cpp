// The log without a reader, in processes of their own, because the log's state belongs to a process.
#include "common/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "common/output.h"
#include "common/syscall_filter.h"
#include "tests/unit/catch.h"

namespace {

namespace log = common::log;

enum class Kind { pipe, another_users_pipe, socket };

struct Channel {
  explicit Channel(Kind kind) {
    int ends[2];
    REQUIRE((kind == Kind::socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    // Only root can reopen it; its owner can't.
    if (kind == Kind::another_users_pipe) REQUIRE(fchmod(ends[1], 0) == 0);
  }
  common::Fd read_end, write_end;
};

// Reads what has been written so far.
std::string read_from(int read_end) {
  std::string text;
  char bytes[65536];
  fcntl(read_end, F_SETFL, O_NONBLOCK);
  for (ssize_t got; (got = ::read(read_end, bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<size_t>(got));
  return text;
}

constexpr char kAlone[] = "MQTT_RELAY_TEST_ALONE";

// Runs a hidden test of this file in a process of its own, whose log nobody has opened yet: standard error is
// `channel`, and standard input its other end. True if the test passes within ten seconds: it may hang.
bool passes_alone(const Channel& channel, const char* test) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(10);
    dup2(channel.write_end.get(), STDERR_FILENO);
    dup2(channel.read_end.get(), STDIN_FILENO);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    setenv(kAlone, "1", 1);
    execl("/proc/self/exe", "unit_tests", test, nullptr);
    _exit(127);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CAPTURE(status);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// What such a hidden test does; the process ends with it.
void alone(const std::function<bool()>& steps) {
  if (!getenv(kAlone)) {
    WARN("SKIPPED: only for passes_alone(), because it ends the process");
    return;
  }
  if (setgid(65534) != 0 || setuid(65534) != 0) _exit(2);
  log::open("the-program");
  _exit(steps() ? 0 : 1);
}

constexpr int kLines = 5000;  // 600 KiB: more than a pipe or a socket holds plus the lines that may wait
void write_many() {
  for (int i = 0; i < kLines; i++) log::info("usual", "a line that is as long as the usual ones", {{"number", i}});
}

bool every_line_is_whole(const std::string& text, std::vector<nlohmann::json>& lines) {
  for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    lines.push_back(nlohmann::json::parse(text.substr(at, end - at), nullptr, false));
    if (lines.back().is_discarded()) return false;
  }
  return text.empty() || text.back() == '\n';
}

}  // namespace

TEST_CASE("log alone: dropped lines are reported", "[.alone]") {
  alone([] {
    write_many();
    if (log::flush() || log::dropped() == 0) return false;
    std::string text;
    while (!log::flush()) text += read_from(STDIN_FILENO);
    log::info("last", "the last line");
    text += read_from(STDIN_FILENO);
    std::vector<nlohmann::json> lines;
    if (!every_line_is_whole(text, lines)) return false;
    const uint64_t dropped = log::dropped();
    const auto& notice = lines.at(lines.size() - 2);
    return lines.size() == kLines - dropped + 2 && lines.back().at("msg") == "the last line" &&
           notice.at("dropped") == dropped &&
           notice.at("msg") == std::to_string(dropped) + " lines were dropped because standard error was not read";
  });
}

TEST_CASE("logging never waits for a reader, dropped lines are counted and reported once the log flows again") {
  const auto kind = GENERATE(Kind::pipe, Kind::another_users_pipe, Kind::socket);
  CAPTURE(static_cast<int>(kind));
  if (kind == Kind::another_users_pipe && geteuid() != 0) {
    WARN("SKIPPED: needs root to have another user's pipe");
    return;
  }
  CHECK(passes_alone(Channel(kind), "log alone: dropped lines are reported"));
}

TEST_CASE("log alone: many lines, and the end", "[.alone]") {
  alone([] {
    write_many();
    log::finish();
    return true;
  });
}

TEST_CASE("logging does not change the descriptor for the programs that share it, and the process still ends") {
  const Channel channel(Kind::pipe);
  CHECK(passes_alone(channel, "log alone: many lines, and the end"));
  CHECK((fcntl(channel.write_end.get(), F_GETFL) & O_NONBLOCK) == 0);
}

#if !defined(MQTT_RELAY_SANITIZED)

TEST_CASE("log alone: another user's pipe without RWF_NOWAIT", "[.alone]") {
  alone([] {
    const common::Call without_pwritev2[] = {"write",  "read",   "fcntl",      "ioctl", "brk",
                                             "munmap", "mremap", "exit_group", "futex"};
    if (!common::allow_system_calls(without_pwritev2).empty()) return false;
    write_many();
    if (log::flush()) return false;
    const size_t first = read_from(STDIN_FILENO).size();
    return first >= 65536 / 4 && first < 65536 / 2 && !log::flush() && read_from(STDIN_FILENO).size() >= 65536 / 4;
  });
}

TEST_CASE(
    "a kernel without RWF_NOWAIT for pipes: another user's pipe is filled to a quarter only, and never waited for") {
  if (geteuid() != 0) {
    WARN("SKIPPED: needs root to have another user's pipe");
    return;
  }
  CHECK(passes_alone(Channel(Kind::another_users_pipe), "log alone: another user's pipe without RWF_NOWAIT"));
}

#endif

TEST_CASE("log alone: a hostile client id", "[.alone]") {
  alone([] {
    std::string id(65535, '\x9b');
    for (size_t i = 0; i + 1 < id.size(); i += 2) id[i] = '\xc2';  // U+009B, a terminal's CSI
    log::warning("hostile", id, {{"client_id", id}, {"cause", id}});
    return true;
  });
}

TEST_CASE("a client id of 64 KiB of control bytes makes a short line that shows no control byte") {
  const Channel channel(Kind::pipe);
  REQUIRE(passes_alone(channel, "log alone: a hostile client id"));
  const std::string text = read_from(channel.read_end.get());
  CHECK(text.size() < 10'000);
  CHECK(text.find('\x9b') == text.npos);
  CHECK(nlohmann::json::parse(text).at("client_id").get<std::string>().ends_with("(65535 bytes)"));
}
