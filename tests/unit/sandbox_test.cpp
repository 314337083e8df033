// What a sandboxed process can't do. A child that has given up the right tries it.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <functional>

#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/worker/sandbox.h"
#include "tests/unit/catch.h"

namespace {

// tried_after()'s result for a child that was killed: larger than any errno.
constexpr int killed_by(int signal) { return 1000 + signal; }

// errno of `attempt` in a child that ran `give_up` first; 0: it succeeded. -1: giving up failed.
int tried_after(const std::function<bool()>& give_up, const std::function<long()>& attempt) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!give_up()) _exit(255);
    errno = 0;
    _exit(attempt() >= 0 ? 0 : errno);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) return killed_by(WTERMSIG(status));
  return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

bool no_files() {
  common::harden_process();
  return common::forbid_files().empty();
}

bool nothing() { return true; }

long open_root() { return open("/", O_RDONLY | O_CLOEXEC); }
long make_file() { return open("/tmp/sandbox-test", O_CREAT | O_WRONLY | O_CLOEXEC, 0600); }
long run_true() {
  char program[] = "/bin/true";
  char* arguments[] = {program, nullptr};
  return execve(program, arguments, environ);
}

}  // namespace

TEST_CASE("a sandboxed process can open and create no file") {
  CHECK(tried_after(nothing, open_root) == 0);
  CHECK(tried_after(no_files, open_root) == EACCES);
  CHECK(tried_after(no_files, make_file) == EACCES);
}

TEST_CASE("a sandboxed process can read only the files that it was left") {
  const auto but_proc = [] {
    common::harden_process();
    const common::Fd proc(open("/proc", O_PATH | O_CLOEXEC));
    const common::FileRule rules[] = {{proc.get(), common::FileRule::read}};
    return common::forbid_files(rules).empty();
  };
  CHECK(tried_after(but_proc, [] { return static_cast<long>(open("/proc/uptime", O_RDONLY | O_CLOEXEC)); }) == 0);
  CHECK(tried_after(but_proc, open_root) == EACCES);
}

TEST_CASE("a sandboxed process that may append to a file can't read it") {
  char name[] = "/tmp/append-test.XXXXXX";
  REQUIRE(mkdtemp(name));
  const std::string file = std::string(name) + "/log";
  const auto but_append = [&] {
    common::harden_process();
    const common::Fd directory(open(name, O_PATH | O_CLOEXEC));
    const common::FileRule rules[] = {{directory.get(), common::FileRule::append}};
    return common::forbid_files(rules).empty();
  };
  const auto opens = [&](int how) { return [&, how] { return static_cast<long>(open(file.c_str(), how, 0600)); }; };
  CHECK(tried_after(but_append, opens(O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC)) == 0);
  CHECK(tried_after(but_append, opens(O_RDONLY | O_CLOEXEC)) == EACCES);
  CHECK(tried_after(but_append, [&] { return static_cast<long>(unlink(file.c_str())); }) == EACCES);
  std::filesystem::remove_all(name);
}

TEST_CASE("a sandboxed process can't signal a process outside") {
  const auto signal_parent = [] { return static_cast<long>(kill(getppid(), 0)); };
  CHECK(tried_after(nothing, signal_parent) == 0);
  CHECK(tried_after(no_files, signal_parent) == EPERM);
}

TEST_CASE("a sandboxed process executes no program") {
  CHECK(tried_after(nothing, run_true) == 0);
  CHECK(tried_after(no_files, run_true) == EACCES);
}

#if !defined(MQTT_RELAY_SANITIZED)  // sanitizers need further system calls, so the filter is off

namespace {

bool as_worker() {
  common::log::open("test", common::log::Level::error);
  relayd::enter_sandbox(0);
  return true;
}

long map(int protection) {
  return mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

}  // namespace

TEST_CASE("a worker opens no file and executes nothing") {
  CHECK(tried_after(as_worker, open_root) == EPERM);
  CHECK(tried_after(as_worker, make_file) == EPERM);
  CHECK(tried_after(as_worker, run_true) == killed_by(SIGSYS));
  CHECK(tried_after(as_worker, [] { return static_cast<long>(fork()); }) != 0);
}

TEST_CASE("a worker has sockets of three families only") {
  const auto family = [](int f, int type) { return [=] { return static_cast<long>(socket(f, type, 0)); }; };
  for (const int allowed : {AF_UNIX, AF_INET, AF_INET6})
    CHECK(tried_after(as_worker, family(allowed, SOCK_STREAM)) == 0);
  CHECK(tried_after(nothing, family(AF_NETLINK, SOCK_RAW)) == 0);
  for (const int family_refused : {AF_NETLINK, AF_PACKET})
    CHECK(tried_after(as_worker, family(family_refused, SOCK_RAW)) == EPERM);
  CHECK(tried_after(as_worker, family(AF_ALG, SOCK_SEQPACKET)) == EPERM);
  CHECK(tried_after(as_worker, family(AF_VSOCK, SOCK_STREAM)) == EPERM);
}

TEST_CASE("a worker sees, traces and signals no other process and leaves no namespace") {
  CHECK(tried_after(as_worker, [] { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }) == killed_by(SIGSYS));
  CHECK(tried_after(as_worker, [] { return syscall(SYS_pidfd_open, getppid(), 0); }) == EPERM);
  CHECK(tried_after(as_worker, [] { return static_cast<long>(kill(getppid(), 0)); }) == EPERM);
  CHECK(tried_after(as_worker, [] { return static_cast<long>(unshare(CLONE_NEWUSER)); }) == EPERM);
  CHECK(tried_after(as_worker, [] { return static_cast<long>(chdir("/")); }) == EPERM);
  CHECK(tried_after(as_worker, [] { return syscall(SYS_io_uring_setup, 1, nullptr); }) == EPERM);
}

TEST_CASE("a worker can't make executable memory") {
  CHECK(tried_after(nothing, [] { return map(PROT_READ | PROT_WRITE | PROT_EXEC); }) == 0);
  CHECK(tried_after(as_worker, [] { return map(PROT_READ | PROT_WRITE | PROT_EXEC); }) == EPERM);
  CHECK(tried_after(as_worker, [] { return map(PROT_READ | PROT_EXEC); }) == EPERM);
  CHECK(tried_after(as_worker, [] { return map(PROT_READ | PROT_WRITE); }) == 0);
}

#endif
