// The notary as a process: it answers, is restarted when it dies, has no privileges, and exits with keyd.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <uv.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "catch.h"
#include "common/config.h"
#include "common/program.h"
#include "keyd/guardian/guardian.h"
#include "keyd/handover/question.h"
#include "keyd_handshakes.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::string slurp(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// "1 (NAME) S …": not yet waited for (proc(5)).
bool is_zombie(pid_t pid) {
  const std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
  return stat.find(") Z ") != std::string::npos;
}

// The only living child of that name; 0: none.
pid_t child_of(pid_t parent, const std::string& name) {
  std::istringstream children(
      slurp("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children"));
  for (pid_t child; children >> child;)
    if (slurp("/proc/" + std::to_string(child) + "/comm") == name + "\n" && !is_zombie(child)) return child;
  return 0;
}

// A process that is not our child sends us no event, so this polls until the condition holds.
bool comes_true(const std::function<bool()>& condition) {
  for (const auto deadline = Clock::now() + 10s; Clock::now() < deadline; std::this_thread::sleep_for(1ms))
    if (condition()) return true;
  return false;
}

bool is_gone(pid_t pid) {
  waitpid(pid, nullptr, WNOHANG);
  return kill(pid, 0) != 0;
}

keyd::NotarySettings settings(const std::string& authorities) {
  return {keyd::BoundRemote{{"broker.example"}, {}, {"/etc/ca.pem", authorities, "keyd.json: bind_remote.cacertfile"}},
          {}};
}

struct Running {
  witness::Certificate root = witness::authority("root");
  witness::Certificate device = witness::issue({.names = ""}, &root), server = witness::issue({}, &root);
  witness::Recorded recorded = witness::handshake({.server = {server}, .client = {device}});
  keyd::NotaryEnds ends = keyd::start_notary(settings(root.pem()));
  common::Fd& socket = ends.notary;
  pid_t guardian = 0;

  Running() {
    REQUIRE(comes_true([&] { return (guardian = child_of(getpid(), "keyd-guardian")) != 0 && notary() != 0; }));
  }
  ~Running() {
    ends = {};
    waitpid(guardian, nullptr, 0);
  }
  pid_t notary() const { return child_of(guardian, "keyd-notary"); }

  bool ask(uint64_t job, const std::vector<uint8_t>& transcript) {
    const keyd::Question question{.job = job, .kind = recorded.kind, .device = device.spki()};
    std::vector<uint8_t> datagram(sizeof question);
    memcpy(datagram.data(), &question, sizeof question);
    datagram.insert(datagram.end(), transcript.begin(), transcript.end());
    return send(socket.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(datagram.size());
  }
  keyd::NotaryAnswer answer() {
    keyd::NotaryAnswer answer;
    for (int words = 0; words < 20; words++) {
      answer = {.problem = "no answer"};
      pollfd ready{socket.get(), POLLIN, 0};
      if (poll(&ready, 1, 10'000) == 1) CHECK(recv(socket.get(), &answer, sizeof answer, 0) == sizeof answer);
      if (answer.job != 0 || std::string(answer.problem) == "no answer") break;  // 0: the notary started or died
    }
    return answer;
  }
};

}  // namespace

TEST_CASE("the notary answers each question with its job", "[keyd][notary]") {
  Running running;
  CHECK((fcntl(running.socket.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((fcntl(running.socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(running.ask(1, running.recorded.transcript()));
  REQUIRE(running.ask(2, {}));
  const auto good = running.answer(), bad = running.answer();
  CHECK(good.job == 1);
  CHECK(std::string(good.problem) == "");
  CHECK(good.transcript_hash == running.recorded.hash_size);
  CHECK(bad.job == 2);
  CHECK(std::string(bad.problem) == "the transcript has no ClientHello where it belongs");
  REQUIRE(running.ask(3, std::vector<uint8_t>(ipc::kMaxTranscript, 1)));
  CHECK(running.answer().job == 3);
}

TEST_CASE("a notary that dies is restarted and answers", "[keyd][notary]") {
  Running running;
  for (uint64_t life = 1; life <= 2; life++) {
    const pid_t notary = running.notary();
    REQUIRE(notary > 0);
    REQUIRE(kill(notary, SIGKILL) == 0);
    REQUIRE(comes_true([&] { return running.notary() != notary; }));  // a dying notary can still take a question
    REQUIRE(running.ask(life, running.recorded.transcript()));
    const auto answer = running.answer();
    CHECK(answer.job == life);
    CHECK(std::string(answer.problem) == "");
    CHECK(running.notary() != notary);
  }
}

TEST_CASE("a notary starts and restarts for a process that has an event loop", "[keyd][notary]") {
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    Running running;
    const pid_t notary = running.notary();
    REQUIRE(kill(notary, SIGKILL) == 0);
    REQUIRE(comes_true([&] { return running.notary() != 0 && running.notary() != notary; }));
    REQUIRE(running.ask(1, running.recorded.transcript()));
    CHECK(running.answer().job == 1);
  }
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("the notary has no descriptor but its socket and standard error", "[keyd][notary]") {
  const common::Fd secret(open("/proc/self/status", O_RDONLY));
  Running running;
  REQUIRE(running.ask(1, running.recorded.transcript()));
  running.answer();  // it has confined itself by now
  if (geteuid() != 0) {
    WARN("SKIPPED: a process that is not dumpable shows itself to root only");
    return;
  }
  for (const pid_t pid : {running.guardian, running.notary()}) {
    const std::string folder = "/proc/" + std::to_string(pid) + "/fd/";
    const auto standard_error = std::filesystem::read_symlink(folder + "2");
    std::string open_ones;
    DIR* directory = opendir(folder.c_str());
    REQUIRE(directory);
    // Standard error may be open a second time, through a description that does not block (common/output.h).
    while (const dirent* entry = readdir(directory))
      if (entry->d_name[0] != '.' && std::filesystem::read_symlink(folder + entry->d_name) != standard_error)
        open_ones += std::string(entry->d_name) + " ";
    closedir(directory);
    CAPTURE(open_ones);
    std::sort(open_ones.begin(), open_ones.end());
    // The guardian keeps the settings and the program, for the next notary, its channel to keyd, and a
    // descriptor of the notary's process: 0, or 1 if it has logged, and has standard error a second time.
    if (pid == running.guardian) CHECK((open_ones == "     03456" || open_ones == "     13456"));
    else CHECK(open_ones == " 3");
    const auto status = slurp("/proc/" + std::to_string(pid) + "/status");
    CHECK(status.find("NoNewPrivs:\t1") != std::string::npos);
#if !defined(MQTT_RELAY_SANITIZED)  // its runtime needs other system calls
    CHECK(status.find("Seccomp:\t2") != std::string::npos);
#endif
  }
}

TEST_CASE("each notary has an address layout of its own", "[keyd][notary]") {
  if (geteuid() != 0) {
    WARN("SKIPPED: a process that is not dumpable shows itself to root only");
    return;
  }
  Running running;
  const auto layout = [&] {
    std::istringstream maps(slurp("/proc/" + std::to_string(running.notary()) + "/maps"));
    std::string line;
    while (std::getline(maps, line) && line.find(keyd::kNotaryProgram) == std::string::npos)
      ;
    return line;
  };
  REQUIRE(running.ask(1, running.recorded.transcript()));
  running.answer();
  const std::string before = layout();
  const pid_t notary = running.notary();
  REQUIRE(before.find(keyd::kNotaryProgram) != std::string::npos);
  REQUIRE(kill(notary, SIGKILL) == 0);
  REQUIRE(comes_true([&] { return running.notary() != notary && running.notary() != 0; }));
  REQUIRE(running.ask(2, running.recorded.transcript()));
  running.answer();
  CHECK(layout() != before);
}

TEST_CASE("authorities that the notary can't use are an error of the configuration", "[keyd][notary]") {
  try {
    keyd::start_notary(settings("no certificate"));
    FAIL("it started");
  } catch (const common::ConfigError& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).find("keyd.json: bind_remote.cacertfile: /etc/ca.pem: ") == 0);
  }
}

TEST_CASE("a missing program is an error that names its path", "[keyd][notary]") {
  try {
    common::Program program("mqtt-keyd-nobody");
    FAIL("it is there");
  } catch (const std::runtime_error& error) {
    INFO(error.what());
    for (const char* part : {"/../libexec/mqtt-relay/mqtt-keyd-nobody: No such file", "reinstall mqtt-relay"})
      CHECK(std::string(error.what()).find(part) != std::string::npos);
  }
}

TEST_CASE("the notary stays when a stop signal goes to keyd's process group", "[keyd][notary]") {
  Running running;
  REQUIRE(running.ask(1, running.recorded.transcript()));
  running.answer();
  const pid_t notary = running.notary();
  for (const int signal : {SIGINT, SIGTERM})
    for (const pid_t pid : {notary, running.guardian}) REQUIRE(kill(pid, signal) == 0);
  REQUIRE(running.ask(2, running.recorded.transcript()));
  CHECK(running.answer().job == 2);
  CHECK(running.notary() == notary);
}

TEST_CASE("both processes exit when keyd closes its end", "[keyd][notary]") {
  Running running;
  const pid_t notary = running.notary();
  running.socket.reset();
  CHECK(comes_true([&] { return is_gone(running.guardian) && is_gone(notary); }));
}

TEST_CASE("both processes exit when keyd is killed", "[keyd][notary]") {
  const auto root = witness::authority("root");
  const pid_t keyd = fork();
  REQUIRE(keyd >= 0);
  if (keyd == 0) {
    const auto ends = keyd::start_notary(settings(root.pem()));
    for (;;) pause();
  }
  pid_t guardian = 0, notary = 0;
  REQUIRE(comes_true([&] { return (guardian = child_of(keyd, "keyd-guardian")) != 0; }));
  REQUIRE(comes_true([&] { return (notary = child_of(guardian, "keyd-notary")) != 0; }));
  kill(keyd, SIGKILL);
  waitpid(keyd, nullptr, 0);
  CHECK(comes_true([&] { return is_gone(guardian) && is_gone(notary); }));
}

TEST_CASE("the notary exits with its guardian", "[keyd][notary]") {
  Running running;
  const pid_t notary = running.notary();
  kill(running.guardian, SIGKILL);
  CHECK(comes_true([&] { return is_gone(notary); }));
  char byte;
  pollfd ready{running.socket.get(), POLLIN, 0};
  CHECK(poll(&ready, 1, 10'000) == 1);
  CHECK(recv(running.socket.get(), &byte, 1, 0) == 0);  // keyd sees the end of the connection
}
