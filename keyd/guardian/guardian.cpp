#include "keyd/guardian/guardian.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <system_error>

#include "common/config.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/program.h"
#include "common/syscall_filter.h"
#include "keyd/handover/question.h"

namespace keyd {
namespace {

namespace log = common::log;

using namespace common::calls;

constexpr int kProgram = 5, kChannel = 6;  // after kNotarySocket and kNotarySettings
constexpr timespec kBetweenStarts{0, 100'000'000};
constexpr int kFirstWordMs = 30'000;

// Added to the calls that executing a program needs. The notary inherits this filter and adds its own, so its calls are
// listed here too.
// clang-format off
constexpr common::Call kGuarding[] = {
    "getppid", "wait4",                                       // a child: dying with its parent, its end
    "pidfd_open", {"pidfd_send_signal", is(1, SIGKILL)},      // waiting for its end, and killing it
    "poll", "ppoll",                                          // for its end and for keyd
    "clock_nanosleep", "nanosleep",                           // the pause before the next one
    "recvfrom", {"sendto", is_null(4)},                       // questions and answers; words to keyd
    "tgkill",                                                 // abort(3), of the notary as well
};
// clang-format on

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void missing(const std::string& feature) {
  if (!feature.empty())
    log::warning("sandbox_weaker", "the guardian runs without a part of its sandbox", {{"missing", feature}});
}

// Makes this process die with the one that forked it.
void die_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail("prctl(PR_SET_PDEATHSIG)");
  if (getppid() != parent) _exit(0);
}

// Resets signals as in a fresh process, but ignores those sent to keyd's whole group (a terminal's ^C, systemd's stop):
// keyd needs answers while it stops. The notary exits when keyd does.
void reset_signals() {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);  // fails for those that have no other
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) signal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Keeps standard error and these four, under their fixed numbers. The notary inherits the first three.
void keep_only(int socket, int settings, int program, int channel) {
  constexpr int kOutOfTheWay = 16;
  std::array<int, 4> kept{socket, settings, program, channel};
  for (int& fd : kept)
    if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay)) < 0) fail("fcntl(F_DUPFD_CLOEXEC)");
  if (dup2(kept[0], kNotarySocket) < 0 || dup2(kept[1], kNotarySettings) < 0 ||
      dup3(kept[2], kProgram, O_CLOEXEC) < 0 || dup3(kept[3], kChannel, O_CLOEXEC) < 0)
    fail("dup2");
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) close(standard);
  if (close_range(kChannel + 1, ~0u, 0) != 0) missing(std::string("close_range(2): ") + strerror(errno));
}

void confine() {
  common::harden_process();
  missing(common::forbid_files(common::LoaderFiles(kProgram).rules()));
  missing(common::allow_system_calls(guardian_calls()));
}

// Tells keyd, in place of the notary's first word. Sent later, it matches no question, and keyd drops it.
void say(const std::string& problem) {
  NotaryAnswer word;
  strncpy(word.problem, problem.c_str(), sizeof word.problem - 1);
  send(kNotarySocket, &word, sizeof word, MSG_NOSIGNAL | MSG_DONTWAIT);
}

[[noreturn]] void become_notary(const std::string& path, pid_t guardian) {
  try {
    die_with(guardian);
    const std::string why = common::Program::execute(kProgram, kNotaryProgram);
    say("can't execute " + path + ": " + why + "; reinstall mqtt-relay");
  } catch (const std::exception& error) {
    log::error("notary_failed", "the notary fails", {{"cause", error.what()}});
  }
  _exit(127);
}

// "" if it exited because keyd has.
std::string death_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid");
  if (WIFSIGNALED(status)) return std::string("signal ") + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exit status " + std::to_string(WEXITSTATUS(status));
}

// Waits for the notary's death, and kills it if keyd says so.
std::string outlive(pid_t notary) {
  const common::Fd process(static_cast<int>(syscall(SYS_pidfd_open, notary, 0)));
  if (!process) fail("pidfd_open(2), which Linux has since 5.3");
  std::array<pollfd, 2> events{{{process.get(), POLLIN, 0}, {kChannel, POLLIN, 0}}};
  while (events[0].revents == 0) {
    if (poll(events.data(), events.size(), -1) < 0 && errno != EINTR) fail("poll");
    if (events[1].revents == 0) continue;
    char word;
    if (recv(kChannel, &word, sizeof word, 0) <= 0) _exit(0);  // keyd has exited
    log::error("notary_hung", "the notary does not answer, so it is killed");
    syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  }
  return death_of(notary);
}

[[noreturn]] void be_guardian(const common::Program& program, int socket, int settings, int channel, pid_t keyd) {
  try {
    begin_as_child("keyd-guardian", keyd);
    keep_only(socket, settings, program.file(), channel);
    confine();
    const pid_t self = getpid();
    for (;;) {
      // Not fork(2), which runs the handlers that libraries registered: in each child of a process that had a loop,
      // libuv's makes a pipe, which the sandbox forbids, and aborts.
      const pid_t notary = _Fork();
      if (notary == 0) become_notary(program.path(), self);
      const std::string death = notary < 0 ? strerror(errno) : outlive(notary);
      if (death.empty()) _exit(0);
      send(kChannel, death.data(), death.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      say(program.path() + " ended before it could answer: " + death);
      log::warning("notary_died", "the notary died and is restarted; the question that it was answering is lost",
                   {{"cause", death}});
      nanosleep(&kBetweenStarts, nullptr);
      log::flush();
    }
  } catch (const std::exception& error) {
    log::error("guardian_failed", "the notary's guardian fails, so keyd exits", {{"cause", error.what()}});
  }
  _exit(1);
}

// Waits until the notary can answer.
void wait_for_first_word(int socket, const std::string& path) {
  pollfd ready{socket, POLLIN, 0};
  NotaryAnswer word;
  int events;
  while ((events = poll(&ready, 1, kFirstWordMs)) < 0 && errno == EINTR) {
  }
  if (events <= 0)
    throw std::runtime_error(path + " did not answer within " + std::to_string(kFirstWordMs / 1000) + " s");
  if (recv(socket, &word, sizeof word, 0) != sizeof word) throw std::runtime_error(path + " can't be started");
  word.problem[sizeof word.problem - 1] = '\0';
  if (word.job != 0) throw std::runtime_error(path + " is another version; reinstall mqtt-relay");
  if (word.wrong_setting) throw common::ConfigError(word.problem);
  if (word.problem[0] != '\0') throw std::runtime_error(word.problem);
}

}  // namespace

void begin_as_child(const char* name, pid_t keyd) {
  die_with(keyd);
  prctl(PR_SET_NAME, name, 0, 0, 0);
  if (setsid() < 0) fail("setsid");  // no terminal, no signal from one
  reset_signals();
  log::begin_in_child();
}

common::CallList guardian_calls() {
  return common::joined({kGuarding, kClone, common::calls_of_start(), kLog, kMemory, kTime, kEnd});
}

NotaryEnds start_notary(const NotarySettings& settings) {
  const common::Program program(kNotaryProgram);
  const common::Fd packed = common::sealed(settings.packed());
  NotaryEnds ours, theirs;
  for (const auto end : {&NotaryEnds::notary, &NotaryEnds::guardian}) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
    (ours.*end).reset(ends[0]);
    (theirs.*end).reset(ends[1]);
  }
  const pid_t keyd = getpid();
  const pid_t guardian = fork();
  if (guardian < 0) fail("fork");
  if (guardian == 0) be_guardian(program, theirs.notary.get(), packed.get(), theirs.guardian.get(), keyd);
  theirs = {};
  try {
    wait_for_first_word(ours.notary.get(), program.path());
  } catch (...) {
    kill(guardian, SIGKILL);  // the notary dies with it
    waitpid(guardian, nullptr, 0);
    throw;
  }
  for (const common::Fd* end : {&ours.notary, &ours.guardian})
    if (fcntl(end->get(), F_SETFL, O_NONBLOCK) != 0) fail("fcntl(O_NONBLOCK)");
  return ours;
}

}  // namespace keyd
