// What each program may ask of the kernel: every system call, and of those that are filtered by argument, every
// command, option and request. A filter that becomes wider fails here, so that a review sees it.
//
// The tests read the filter's own program (seccomp(2), bpf(2)) instead of making the calls.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "keyd/guardian/guardian.h"
#include "keyd/notary/sandbox.h"
#include "keyd/startup/reader.h"
#include "keyd/startup/sandbox.h"
#include "relayd/connector/sandbox.h"
#include "relayd/handover/tcp_options.h"
#include "relayd/inspector/sandbox.h"
#include "relayd/monitor/sandbox.h"
#include "relayd/supervisor/sandbox.h"
#include "relayd/worker/sandbox.h"
#include "tests/unit/catch.h"

#if defined(__x86_64__)  // the names of other processors' calls differ: arm64_calls_test.cpp

namespace {

constexpr uint32_t kUnknown = 0x7fff0001;  // no action has this number
constexpr int kMostCall = 600;

// Runs a filter. A call's arguments may be unknown; then both ways of a jump are taken.
class Judge {
 public:
  explicit Judge(const common::CallList& calls) : program_(common::compiled_filter(calls)) {}

  uint32_t action(const seccomp_data& call) const {
    std::set<uint32_t> actions;
    run(call, true, 0, 0, actions);
    return actions.size() == 1 ? *actions.begin() : kUnknown;
  }
  bool allows(int number, std::initializer_list<uint64_t> arguments) const {
    seccomp_data call{number, AUDIT_ARCH_X86_64, 0, {}};
    std::copy(arguments.begin(), arguments.end(), call.args);
    return action(call) == SECCOMP_RET_ALLOW;
  }
  std::set<uint32_t> actions_of(int number) const {
    std::set<uint32_t> actions;
    run({number, AUDIT_ARCH_X86_64, 0, {}}, false, 0, 0, actions);
    return actions;
  }

 private:
  void run(const seccomp_data& call, bool known, size_t at, std::optional<uint32_t> a, std::set<uint32_t>& out) const {
    for (;; at++) {
      const sock_filter& step = program_.at(at);
      switch (BPF_CLASS(step.code)) {
        case BPF_LD:
          a.reset();
          if (known || step.k < offsetof(seccomp_data, args)) {
            uint32_t word = 0;
            memcpy(&word, reinterpret_cast<const char*>(&call) + step.k, sizeof word);
            a = word;
          }
          break;
        case BPF_ALU:
          REQUIRE(BPF_OP(step.code) == BPF_AND);
          if (a) a = *a & step.k;
          break;
        case BPF_RET: out.insert(step.k); return;
        case BPF_JMP: {
          if (BPF_OP(step.code) == BPF_JA) {
            at += step.k;
            break;
          }
          if (!a) {
            run(call, known, at + 1 + step.jt, a, out);
            at += step.jf;
            break;
          }
          const bool yes = BPF_OP(step.code) == BPF_JEQ   ? *a == step.k
                           : BPF_OP(step.code) == BPF_JGE ? *a >= step.k
                           : BPF_OP(step.code) == BPF_JGT ? *a > step.k
                                                          : (*a & step.k) != 0;
          at += yes ? step.jt : step.jf;
          break;
        }
        default: FAIL("an instruction that this judge does not know: " << step.code);
      }
    }
  }

  std::vector<sock_filter> program_;
};

using Names = std::set<std::string>;
using Numbers = std::set<int>;
using Options = std::set<std::pair<int, int>>;  // level, option

int number_of(const char* call) { return seccomp_syscall_resolve_name(call); }

// The calls whose verdict does not depend on their arguments, or, with `conditional`, those whose verdict does.
Names names(const Judge& judge, bool conditional) {
  Names found;
  for (int number = 0; number < kMostCall; number++) {
    const auto actions = judge.actions_of(number);
    const bool may = actions.contains(SECCOMP_RET_ALLOW);
    if (!may || (actions.size() > 1) != conditional) continue;
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    found.insert(name ? name : std::to_string(number));
    free(name);
  }
  return found;
}

Options options(const Judge& judge, const char* call) {
  Options found;
  for (int level = 0; level < 300; level++)
    for (int option = 0; option < 150; option++)
      if (judge.allows(number_of(call), {5, static_cast<uint64_t>(level), static_cast<uint64_t>(option)}))
        found.emplace(level, option);
  return found;
}

// The values of the second argument with which a call is allowed.
Numbers second(const Judge& judge, const char* call, uint64_t first, int most) {
  Numbers found;
  for (int value = 0; value <= most; value++)
    if (judge.allows(number_of(call), {first, static_cast<uint64_t>(value), 0})) found.insert(value);
  return found;
}
Numbers fcntls(const Judge& judge, uint64_t fd = 5) { return second(judge, "fcntl", fd, 2000); }
Numbers ioctls(const Judge& judge) { return second(judge, "ioctl", 5, 0xffff); }
Numbers prctls(const Judge& judge) {
  Numbers found;
  for (int option = 0; option < 200; option++)
    if (judge.allows(number_of("prctl"), {static_cast<uint64_t>(option), 0})) found.insert(option);
  return found;
}

// The sockets that a program can make: family, type.
Options sockets(const Judge& judge, int flags = 0) {
  Options found;
  for (int family = 0; family < 64; family++)
    for (int type = 0; type < 16; type++)
      if (judge.allows(number_of("socket"),
                       {static_cast<uint64_t>(family), static_cast<uint64_t>(type | SOCK_CLOEXEC | flags)}))
        found.emplace(family, type);
  return found;
}

Names operator+(Names one, const Names& other) {
  one.insert(other.begin(), other.end());
  return one;
}

// The same in each program.
const Names kEverywhere{"brk",          "clock_gettime", "exit",         "exit_group",      "fstat",
                        "getpid",       "getrandom",     "gettid",       "gettimeofday",    "mremap",
                        "munmap",       "newfstatat",    "rt_sigaction", "restart_syscall", "rt_sigprocmask",
                        "rt_sigreturn", "sigaltstack",   "write"};
const Names kFilteredEverywhere{"fcntl", "futex", "ioctl", "madvise", "mmap", "mprotect", "pwritev2", "tgkill"};

// What holds for every program that reads bytes from outside, and for keyd.
void check_common(const Judge& judge) {
  const auto own = static_cast<uint64_t>(getpid());
  const auto allows = [&](const char* call, std::initializer_list<uint64_t> arguments) {
    return judge.allows(number_of(call), arguments);
  };
  CHECK(allows("tgkill", {own, own, SIGABRT}));
  CHECK_FALSE(allows("tgkill", {own + 1, own + 1, SIGABRT}));
  CHECK(allows("mmap", {0, 4096, PROT_READ | PROT_WRITE}));
  CHECK_FALSE(allows("mmap", {0, 4096, PROT_READ | PROT_EXEC}));
  CHECK_FALSE(allows("mprotect", {0, 4096, PROT_EXEC}));
  CHECK_FALSE(allows("madvise", {0, 4096, MADV_HWPOISON}));
  CHECK(allows("pwritev2", {2, 0, 1, ~uint64_t{0}, 0, RWF_NOWAIT}));
  CHECK_FALSE(allows("pwritev2", {2, 0, 1, 0, 0, RWF_NOWAIT}));
  for (const uint64_t wait_or_wake : {0, 1, 9, 10}) CHECK(allows("futex", {0, wait_or_wake}));
  for (const uint64_t other : {2, 3, 4, 5, 6, 7, 8, 11, 12, 13}) CHECK_FALSE(allows("futex", {0, other}));
}

}  // namespace

TEST_CASE("system calls of a worker", "[calls]") {
  const Judge worker(relayd::worker_calls());
  CHECK(names(worker, false) == kEverywhere + Names{"close", "epoll_ctl", "epoll_pwait", "epoll_wait", "getsockname",
                                                    "poll", "ppoll", "pread64", "read", "recvfrom", "recvmsg",
                                                    "sched_yield"});
  CHECK(names(worker, true) ==
        kFilteredEverywhere + Names{"accept4", "getsockopt", "sendto", "setsockopt", "shutdown"});
  CHECK(options(worker, "setsockopt") == Options{{IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_QUICKACK}});
  CHECK(options(worker, "getsockopt") ==
        Options{{SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, SO_DOMAIN}, {SOL_SOCKET, SO_PROTOCOL}});
  CHECK(fcntls(worker) == Numbers{F_GETPIPE_SZ});
  CHECK(fcntls(worker, STDERR_FILENO) == Numbers{F_GETPIPE_SZ, F_DUPFD_CLOEXEC});
  CHECK(ioctls(worker) == Numbers{SIOCOUTQ, FIONREAD});
  CHECK(second(worker, "shutdown", 5, 10) == Numbers{SHUT_WR});
  check_common(worker);
}

TEST_CASE("system calls of the connector", "[calls]") {
  const Judge connector(relayd::connector::calls());
  CHECK(names(connector, false) ==
        kEverywhere + Names{"access",      "clock_nanosleep", "close",       "connect",     "epoll_ctl",
                            "epoll_pwait", "epoll_wait",      "faccessat",   "faccessat2",  "getegid",
                            "geteuid",     "getgid",          "getpeername", "getsockname", "getuid",
                            "lseek",       "lstat",           "open",        "openat",      "poll",
                            "ppoll",       "pread64",         "read",        "readlink",    "readlinkat",
                            "recvfrom",    "recvmmsg",        "recvmsg",     "sched_yield", "sendmmsg",
                            "sendmsg",     "sendto",          "stat",        "statx",       "time",
                            "uname"});
  CHECK(names(connector, true) == kFilteredEverywhere + Names{"getsockopt", "setsockopt", "socket"});
  CHECK(options(connector, "getsockopt") == Options{{SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, SO_PEERCRED}});
  Options sets{{SOL_SOCKET, SO_RCVBUF},      {SOL_SOCKET, SO_SNDBUF},
               {SOL_SOCKET, SO_KEEPALIVE},   {IPPROTO_TCP, TCP_NODELAY},
               {IPPROTO_TCP, TCP_KEEPIDLE},  {IPPROTO_TCP, TCP_KEEPINTVL},
               {IPPROTO_TCP, TCP_KEEPCNT},   {IPPROTO_IP, IP_RECVERR},
               {IPPROTO_IPV6, IPV6_RECVERR}, {IPPROTO_IP, relayd::kLocalPortRange}};
  CHECK(options(connector, "setsockopt") == sets);
  CHECK(fcntls(connector) == Numbers{F_GETFD, F_SETFD, F_GETPIPE_SZ});
  CHECK(ioctls(connector) == Numbers{SIOCGIFINDEX, FIONREAD});
  const auto may = [&](int family, int type, int protocol) {
    return connector.allows(
        number_of("socket"),
        {static_cast<uint64_t>(family), static_cast<uint64_t>(type | SOCK_CLOEXEC), static_cast<uint64_t>(protocol)});
  };
  for (const int family : {AF_INET, AF_INET6}) {
    for (const int protocol : {0, int{IPPROTO_TCP}}) CHECK(may(family, SOCK_STREAM, protocol));
    CHECK(may(family, SOCK_DGRAM, 0));
    for (const int type : {SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM}) CHECK_FALSE(may(family, type, 0));
    for (const int protocol : {int{IPPROTO_MPTCP}, int{IPPROTO_SCTP}}) CHECK_FALSE(may(family, SOCK_STREAM, protocol));
  }
  for (const int type : {SOCK_SEQPACKET, SOCK_STREAM}) CHECK(may(AF_UNIX, type, 0));
  for (const int family : {AF_UNIX, AF_NETLINK, AF_PACKET, AF_VSOCK}) CHECK_FALSE(may(family, SOCK_DGRAM, 0));
  // A library of a name service may be mapped, but no memory that this process can write.
  const auto maps = [&](uint64_t protection, uint64_t flags) {
    return connector.allows(number_of("mmap"), {0, 4096, protection, flags});
  };
  CHECK(maps(PROT_READ | PROT_EXEC, MAP_PRIVATE));
  CHECK_FALSE(maps(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS));
  CHECK_FALSE(maps(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE));
  CHECK_FALSE(connector.allows(number_of("mprotect"), {0, 4096, PROT_READ | PROT_EXEC}));
}

TEST_CASE("system calls of the connector: with remote.certs_dir it may also follow links beneath a directory",
          "[calls]") {
  relayd::ConnectorPlan plan;
  plan.certs_dir = "/etc/mqtt-relay/certs";
  const Judge connector(relayd::connector::calls(plan)), without(relayd::connector::calls());
  CHECK(names(connector, false) == names(without, false) + Names{"openat2"});
  CHECK(names(connector, true) == names(without, true));
}

TEST_CASE("system calls of the connector: with source addresses it also binds Internet sockets, and nothing else",
          "[calls]") {
  relayd::ConnectorPlan plan;
  plan.sources = {"192.0.2.1"};
  const Judge connector(relayd::connector::calls(plan)), without(relayd::connector::calls());
  CHECK(names(connector, false) == names(without, false));
  CHECK(names(connector, true) == names(without, true) + Names{"bind"});
  auto sets = options(without, "setsockopt");
  sets.insert({IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT});
  CHECK(options(connector, "setsockopt") == sets);
  for (const auto& [size, allowed] :
       {std::pair{sizeof(sockaddr_in), true}, {sizeof(sockaddr_in6), true}, {size_t{110}, false}, {size_t{12}, false}})
    CHECK(connector.allows(number_of("bind"), {7, 0, size}) == allowed);
}

TEST_CASE("system calls of the monitor", "[calls]") {
  const Judge monitor(relayd::monitor::calls());
  CHECK(names(monitor, false) == kEverywhere + Names{"clock_nanosleep", "close", "nanosleep", "poll", "ppoll",
                                                     "pread64", "recvfrom", "recvmsg"});
  CHECK(names(monitor, true) == kFilteredEverywhere + Names{"accept4", "sendto", "shutdown"});
  CHECK(fcntls(monitor) == Numbers{F_GETPIPE_SZ});
  CHECK(ioctls(monitor) == Numbers{FIONREAD});
  CHECK(second(monitor, "shutdown", 5, 10) == Numbers{SHUT_WR});
  check_common(monitor);
}

TEST_CASE("system calls of the inspector", "[calls]") {
  const Judge inspector(relayd::inspector::calls());
  CHECK(names(inspector, false) == kEverywhere + Names{"close", "pread64", "read"});
  CHECK(names(inspector, true) == kFilteredEverywhere);
  CHECK(fcntls(inspector) == Numbers{F_GETPIPE_SZ});
  CHECK(ioctls(inspector) == Numbers{FIONREAD});
  check_common(inspector);
}

TEST_CASE("system calls of the notary", "[calls]") {
  const Judge notary(keyd::notary_calls());
  CHECK(names(notary, false) == kEverywhere + Names{"recvfrom"});
  CHECK(names(notary, true) == kFilteredEverywhere + Names{"sendto"});
  CHECK(fcntls(notary) == Numbers{F_GETPIPE_SZ});
  CHECK(ioctls(notary) == Numbers{FIONREAD});
  check_common(notary);
}

TEST_CASE("system calls of keyd", "[calls]") {
  const Judge keyd(keyd::serving_calls());
  CHECK(names(keyd, false) == kEverywhere + Names{"close", "epoll_ctl", "epoll_pwait", "epoll_wait", "flock", "getegid",
                                                  "geteuid", "openat", "poll", "ppoll", "read", "recvfrom", "recvmsg",
                                                  "sched_yield", "sendmsg", "sendto", "statx"});
  CHECK(names(keyd, true) == kFilteredEverywhere + Names{"accept4", "getsockopt", "setsockopt", "socket"});
  CHECK(options(keyd, "setsockopt") == Options{{SOL_SOCKET, SO_TIMESTAMPNS}, {SOL_SOCKET, SO_SNDTIMEO}});
  CHECK(options(keyd, "getsockopt") == Options{{SOL_SOCKET, SO_PEERCRED}});
  CHECK(fcntls(keyd) == Numbers{F_GETFL, F_GETPIPE_SZ});
  CHECK(ioctls(keyd) == Numbers{FIONREAD});
  CHECK(sockets(keyd) == Options{{AF_UNIX, SOCK_DGRAM}});
  check_common(keyd);
}

TEST_CASE("system calls of the programs that execute others: no namespace, no signal to an owner, no foreign option",
          "[calls]") {
  for (const Judge& judge : {Judge(relayd::supervisor_calls()), Judge(keyd::guardian_calls())}) {
    CHECK(judge.allows(number_of("clone"), {CLONE_VM | CLONE_VFORK | SIGCHLD}));
    for (const uint64_t flag : {CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUTS})
      CHECK_FALSE(judge.allows(number_of("clone"), {flag | SIGCHLD}));
    CHECK(judge.actions_of(number_of("clone3")) == std::set<uint32_t>{SECCOMP_RET_ERRNO | ENOSYS});
    CHECK(prctls(judge) == Numbers{PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_NO_NEW_PRIVS});
    CHECK_FALSE(judge.allows(number_of("prctl"), {PR_SET_DUMPABLE, 1}));
  }
  const Judge supervisor(relayd::supervisor_calls()), guardian(keyd::guardian_calls());
  CHECK(fcntls(guardian) == Numbers{F_GETFD, F_SETFD, F_GETFL, F_GETPIPE_SZ, F_DUPFD_CLOEXEC});
  CHECK(fcntls(supervisor) ==
        Numbers{F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETPIPE_SZ, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS});
  CHECK(second(guardian, "pidfd_send_signal", 0, 64) == Numbers{SIGKILL});
  CHECK_FALSE(supervisor.allows(number_of("fcntl"), {5, F_SETFL, O_ASYNC}));
  CHECK(ioctls(guardian) == Numbers{FIONREAD});
  CHECK(ioctls(supervisor) == Numbers{FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, SIOCOUTQ, SIOCGIFINDEX, SIOCGIFNAME});
  CHECK(second(supervisor, "shutdown", 5, 10) == Numbers{SHUT_RD, SHUT_WR});
  const Options sets = options(supervisor, "setsockopt");
  const Options expected{{SOL_SOCKET, SO_REUSEADDR},     {SOL_SOCKET, SO_REUSEPORT},
                         {SOL_SOCKET, SO_SNDTIMEO},      {SOL_SOCKET, SO_DETACH_REUSEPORT_BPF},
                         {SOL_SOCKET, SO_DETACH_FILTER}, {SOL_SOCKET, SO_PASSCRED},
                         {SOL_SOCKET, SO_RCVBUF},        {SOL_SOCKET, SO_SNDBUF},
                         {IPPROTO_IP, IP_RECVERR},       {IPPROTO_IPV6, IPV6_RECVERR},
                         {SOL_SOCKET, SO_KEEPALIVE},     {IPPROTO_TCP, TCP_NODELAY},
                         {IPPROTO_TCP, TCP_KEEPIDLE},    {IPPROTO_TCP, TCP_KEEPINTVL},
                         {IPPROTO_TCP, TCP_KEEPCNT},     {IPPROTO_TCP, TCP_USER_TIMEOUT},
                         {IPPROTO_TCP, TCP_QUICKACK},    {IPPROTO_IP, relayd::kLocalPortRange}};
  CHECK(sets == expected);
  // The filter that a program inherits refuses what its own would allow.
  CHECK(supervisor.allows(number_of("openat2"), {}));
  for (const Judge& child : {Judge(relayd::connector::calls()), Judge(relayd::worker_calls())})
    for (const char* call : {"setsockopt", "getsockopt"})
      CHECK(std::ranges::includes(options(supervisor, call), options(child, call)));
}

TEST_CASE("the system calls of another ABI kill the process", "[calls]") {
  for (const auto& calls : {relayd::worker_calls(), relayd::connector::calls(), relayd::monitor::calls(),
                            relayd::inspector::calls(), relayd::supervisor_calls(), keyd::serving_calls(),
                            keyd::notary_calls(), keyd::guardian_calls(), keyd::reader_calls()}) {
    const Judge judge(calls);
    for (int number = 0; number < kMostCall; number++) {
      CHECK(judge.action({number, AUDIT_ARCH_I386, 0, {}}) == SECCOMP_RET_KILL_PROCESS);
      CHECK(judge.action({number | 0x40000000, AUDIT_ARCH_X86_64, 0, {}}) == SECCOMP_RET_KILL_PROCESS);  // x32
    }
  }
}

#endif
