// What a sandboxed process can't do. A child that has given up the right tries it.
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
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

#include "common/datagram.h"
#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/unix_address.h"
#include "relayd/handover/plan.h"
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
  relayd::enter_sandbox(0, 0, false);
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

TEST_CASE("a worker makes no socket, and connects none that it has") {
  const auto made = [](int family, int type) { return [=] { return static_cast<long>(socket(family, type, 0)); }; };
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK})
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW})
      for (const int flags : {0, SOCK_NONBLOCK | SOCK_CLOEXEC})
        CHECK(tried_after(as_worker, made(family, type | flags)) == EPERM);
  CHECK(tried_after(nothing, made(AF_INET, SOCK_STREAM)) == 0);
  CHECK(tried_after(as_worker, [] {
          int pair[2];
          return static_cast<long>(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        }) == EPERM);
  // A descriptor from before, as if the connector had handed it over.
  const common::Fd inherited(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un journal{AF_UNIX, "/run/systemd/journal/socket"};
  const auto* address = reinterpret_cast<const sockaddr*>(&journal);
  CHECK(tried_after(as_worker, [&] { return static_cast<long>(connect(inherited.get(), address, sizeof journal)); }) ==
        EPERM);
  CHECK(tried_after(as_worker, [&] { return sendto(inherited.get(), "x", 1, 0, address, sizeof journal); }) == EPERM);
  CHECK(tried_after(as_worker, [&] { return static_cast<long>(bind(inherited.get(), address, sizeof journal)); }) ==
        EPERM);
  CHECK(tried_after(as_worker, [&] {
          msghdr message{};
          message.msg_name = &journal;
          message.msg_namelen = sizeof journal;
          return sendmsg(inherited.get(), &message, 0);
        }) == EPERM);
}

namespace {

// A worker that shares a listening socket, as kFirstListenerFd, and has another socket.
struct Shared {
  Shared() {
    REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(listen(listener.get(), 8) == 0);
  }
  int tried(const std::function<long(int)>& attempt) const {
    return tried_after(
        [&] {
          common::log::open("test", common::log::Level::error);
          if (dup2(listener.get(), relayd::kFirstListenerFd) < 0) return false;
          relayd::enter_sandbox(0, 1, false);
          return true;
        },
        [&] { return attempt(relayd::kFirstListenerFd); });
  }
  bool listens() const { return common::socket_option(listener.get(), SO_ACCEPTCONN) == 1; }

  const sockaddr_in any{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
  const common::Fd listener{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
};

template <typename Value>
std::function<long(int)> option(int level, int name, Value value) {
  return [=](int fd) { return static_cast<long>(setsockopt(fd, level, name, &value, sizeof value)); };
}

}  // namespace

TEST_CASE("a worker can neither end nor change the listening socket that it shares") {
  const Shared shared;
  const sockaddr nowhere{AF_UNSPEC, {}};
  sock_filter to_first[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  const sock_fprog steer{1, to_first};
  for (const int how : {SHUT_RD, SHUT_WR, SHUT_RDWR})
    CHECK(shared.tried([&](int fd) { return static_cast<long>(shutdown(fd, how)); }) == EPERM);
  CHECK(shared.tried([&](int fd) { return static_cast<long>(connect(fd, &nowhere, sizeof nowhere)); }) == EPERM);
  CHECK(shared.tried([](int fd) { return static_cast<long>(listen(fd, 0)); }) == EPERM);
  for (const int flags : {0, O_ASYNC, O_APPEND | O_NONBLOCK})
    CHECK(shared.tried([&](int fd) { return static_cast<long>(fcntl(fd, F_SETFL, flags)); }) == EPERM);
  const int off = 0;
  for (const auto request : {FIONBIO, FIOASYNC})
    CHECK(shared.tried([&](int fd) { return static_cast<long>(ioctl(fd, request, &off)); }) != 0);
  for (const int name : {SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_FILTER})
    CHECK(shared.tried(option(SOL_SOCKET, name, steer)) == EPERM);
  for (const int name : {SO_ATTACH_REUSEPORT_EBPF, SO_ATTACH_BPF, SO_LOCK_FILTER, SO_REUSEPORT, SO_MARK, SO_RCVBUF,
                         SO_RCVTIMEO, SO_LINGER, SO_KEEPALIVE})
    CHECK(shared.tried(option(SOL_SOCKET, name, 1)) == EPERM);
  for (const int name : {TCP_USER_TIMEOUT, TCP_DEFER_ACCEPT, TCP_REPAIR, TCP_ULP, TCP_MAXSEG, TCP_NODELAY})
    CHECK(shared.tried(option(IPPROTO_TCP, name, 1)) == EPERM);
  // Nor through a copy with another number.
  CHECK(shared.tried([](int fd) { return static_cast<long>(fcntl(fd, F_DUPFD_CLOEXEC, 100)); }) == EPERM);
  CHECK(shared.tried([](int fd) { return static_cast<long>(dup(fd)); }) == EPERM);
  CHECK(shared.listens());
  CHECK((fcntl(shared.listener.get(), F_GETFL) & O_NONBLOCK) != 0);
  // The same from outside the sandbox succeeds.
  CHECK(tried_after(nothing, [&] { return static_cast<long>(fcntl(shared.listener.get(), F_SETFL, 0)); }) == 0);
  CHECK(tried_after(nothing, [&] { return static_cast<long>(shutdown(shared.listener.get(), SHUT_RDWR)); }) == 0);
  CHECK_FALSE(shared.listens());
}

TEST_CASE("a worker changes of its own sockets only what relaying needs") {
  const common::Fd handed_over(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto own = [&](const std::function<long(int)>& attempt) {
    return tried_after(as_worker, [&] { return attempt(handed_over.get()); });
  };
  CHECK(own(option(IPPROTO_TCP, TCP_USER_TIMEOUT, 1)) == 0);
  CHECK(own(option(IPPROTO_TCP, TCP_QUICKACK, 1)) == 0);
  for (const int name : {SO_BINDTODEVICE, SO_MARK, SO_PRIORITY, SO_RCVBUFFORCE, SO_BROADCAST, SO_PASSCRED})
    CHECK(own(option(SOL_SOCKET, name, 1)) == EPERM);
  for (const int name : {TCP_ULP, TCP_REPAIR, TCP_CONGESTION, TCP_FASTOPEN_CONNECT, TCP_MD5SIG})
    CHECK(own(option(IPPROTO_TCP, name, 1)) == EPERM);
  CHECK(own(option(IPPROTO_IP, IP_TRANSPARENT, 1)) == EPERM);
  CHECK(own([](int fd) { return static_cast<long>(shutdown(fd, SHUT_RDWR)); }) == EPERM);
  const sockaddr_in somewhere{AF_INET, htons(9), {htonl(INADDR_LOOPBACK)}, {}};
  const auto* to = reinterpret_cast<const sockaddr*>(&somewhere);
  CHECK(own([&](int fd) { return sendto(fd, "x", 1, MSG_FASTOPEN, to, sizeof somewhere); }) == EPERM);
  CHECK(own([&](int fd) { return sendto(fd, "x", 1, MSG_NOSIGNAL, to, sizeof somewhere); }) == EPERM);
  for (const int flag : {MSG_OOB, MSG_CONFIRM, MSG_DONTROUTE, MSG_ZEROCOPY, MSG_FASTOPEN})
    CHECK(own([&](int fd) { return send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT | flag); }) == EPERM);
  CHECK(own([&](int fd) { return send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE); }) == EPIPE);
}

TEST_CASE("a worker passes no descriptor on, and takes no signal from one") {
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  const common::Fd one(pair[0]), other(pair[1]);
  CHECK(tried_after(nothing, [&] { return common::send_datagram(one.get(), "x", STDERR_FILENO) ? 0L : -1L; }) == 0);
  CHECK(tried_after(as_worker, [&] { return common::send_datagram(one.get(), "x", STDERR_FILENO) ? 0L : -1L; }) ==
        EPERM);
  for (const int command : {F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY, F_SETFL, F_SETPIPE_SZ, F_ADD_SEALS, F_SETLK})
    CHECK(tried_after(as_worker, [&] { return static_cast<long>(fcntl(one.get(), command, 1)); }) == EPERM);
  char typed = 'x';
  for (const unsigned long request : {TIOCSTI, TIOCSCTTY, TIOCSWINSZ, TIOCLINUX})
    CHECK(tried_after(as_worker, [&] { return static_cast<long>(ioctl(STDERR_FILENO, request, &typed)); }) == EPERM);
}

TEST_CASE("a worker signals itself only") {
  const pid_t parent = getpid();
  CHECK(tried_after(as_worker, [] { return syscall(SYS_tgkill, getpid(), gettid(), 0); }) == 0);
  CHECK(tried_after(as_worker, [=] { return syscall(SYS_tgkill, parent, parent, 0); }) == EPERM);
  CHECK(tried_after(as_worker, [=] { return syscall(SYS_tkill, parent, 0); }) == EPERM);
  CHECK(tried_after(as_worker, []() -> long { signal(SIGABRT, SIG_DFL), abort(); }) == killed_by(SIGABRT));
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
