#include "keyd/notary/notary.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <system_error>
#include <vector>

#include "common/hardening.h"
#include "common/log.h"
#include "common/syscall_filter.h"
#include "keyd/notary/verifier.h"

namespace keyd {
namespace {

namespace log = common::log;

constexpr int kSocket = 3;  // where it is in both processes
constexpr timespec kBetweenBirths{0, 100'000'000};

// What answering takes; and what the guardian needs beside it, to make a notary that then gives it up.
constexpr const char* kNotaryCalls[] = {
    "recvfrom", "sendto",     "write",   "getrandom", "clock_gettime", "gettimeofday",   "brk",
    "munmap",   "mremap",     "madvise", "futex",     "rt_sigaction",  "rt_sigprocmask", "rt_sigreturn",
    "exit",     "exit_group", "gettid",  "getpid",    "tgkill",        "newfstatat",     "fstat"};
constexpr const char* kGuardianCalls[] = {"clone",   "wait4",   "clock_nanosleep", "nanosleep",      "prctl",
                                          "seccomp", "getppid", "close",           "close_range",    "dup2",
                                          "dup3",    "rseq",    "set_robust_list", "set_tid_address"};

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void missing(const std::string& feature) {
  if (!feature.empty()) log::warning("keyd-notary runs without a part of its sandbox", {{"missing", feature}});
}

// Dies with the process that forked it; `parent` is that one's pid, in case it is gone already.
void die_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail("prctl(PR_SET_PDEATHSIG)");
  if (getppid() != parent) _exit(0);
}

// As a fresh process, but for what is sent to keyd's whole group (a terminal's ^C, systemd's stop): keyd still needs
// answers while it stops. The notary leaves with it.
void reset_signals() {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);  // some can't be: they have no other
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) signal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void keep_only(int socket) {
  if (socket != kSocket && dup2(socket, kSocket) < 0) fail("dup2");
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) close(standard);
  if (close_range(kSocket + 1, ~0u, 0) != 0) missing(std::string("close_range(2): ") + strerror(errno));
}

void confine_guardian() {
  common::harden_process();
  missing(common::forbid_files());
  std::vector<const char*> calls(std::begin(kNotaryCalls), std::end(kNotaryCalls));
  calls.insert(calls.end(), std::begin(kGuardianCalls), std::end(kGuardianCalls));
  missing(common::allow_system_calls(calls, {}));
}

// Until keyd closes its end.
void serve(Verifier& verifier) {
  static struct {
    Question question;
    uint8_t transcript[ipc::kMaxTranscript];
  } received;
  for (;;) {
    const ssize_t size = recv(kSocket, &received, sizeof received, 0);
    if (size == 0) return;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) fail("recv");
    const auto bytes = static_cast<size_t>(size);
    if (bytes < sizeof received.question) continue;  // not a question: there is no job to answer
    const NotaryAnswer answer =
        verifier.answer(received.question, {received.transcript, bytes - sizeof received.question});
    while (send(kSocket, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
      if (errno == EPIPE) return;
      else if (errno != EINTR) fail("send");
  }
}

[[noreturn]] void be_notary(Verifier& verifier, pid_t guardian) {
  int code = 1;
  try {
    die_with(guardian);
    prctl(PR_SET_NAME, "keyd-notary", 0, 0, 0);
    keep_only(kSocket);  // libuv, if keyd had begun with it, makes itself a pipe in every child (pthread_atfork(3))
    missing(
        common::allow_system_calls(kNotaryCalls, {}));  // on top of the guardian's sandbox, which is in force here too
    serve(verifier);
    code = 0;
  } catch (const std::exception& error) {
    log::error("keyd-notary fails", {{"cause", error.what()}});
  }
  _exit(code);
}

// "" if it left because keyd has.
std::string death_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid");
  if (WIFSIGNALED(status)) return std::string("signal ") + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exit status " + std::to_string(WEXITSTATUS(status));
}

[[noreturn]] void be_guardian(Verifier& verifier, int socket, pid_t keyd) {
  try {
    die_with(keyd);
    prctl(PR_SET_NAME, "keyd-guardian", 0, 0, 0);
    reset_signals();
    keep_only(socket);
    confine_guardian();
    const pid_t self = getpid();
    for (;;) {
      const pid_t notary = fork();
      if (notary == 0) be_notary(verifier, self);
      const std::string death = notary < 0 ? strerror(errno) : death_of(notary);
      if (death.empty()) _exit(0);
      log::warning("keyd-notary died and is started again; the question it had is lost", {{"cause", death}});
      nanosleep(&kBetweenBirths, nullptr);
    }
  } catch (const std::exception& error) {
    log::error("keyd-guardian fails; with bind_remote no device's key signs any more", {{"cause", error.what()}});
  }
  _exit(1);
}

}  // namespace

common::Fd start_notary(const std::string& remote_host, const std::string& ca_pem) {
  Verifier verifier(remote_host, ca_pem);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
  common::Fd ours(ends[0]), theirs(ends[1]);
  if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) fail("fcntl(O_NONBLOCK)");
  const pid_t keyd = getpid();
  const pid_t guardian = fork();
  if (guardian < 0) fail("fork");
  if (guardian == 0) be_guardian(verifier, theirs.get(), keyd);
  return ours;
}

}  // namespace keyd
