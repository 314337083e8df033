#include "relayd/supervisor/sandbox.h"

#include <linux/close_range.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/hardening.h"
#include "common/log.h"
#include "relayd/handover/connector_plan.h"
#include "relayd/handover/findings.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/handover/plan.h"
#include "relayd/handover/tcp_options.h"

namespace relayd {
namespace {

using namespace common::calls;

// The system calls that supervising needs in addition to a program's start (common::calls_of_start). Children inherit
// the filter, so the list also has every call that the workers and the other programs need; each of them gives up most.
// clang-format off
constexpr common::Call kSupervising[] = {
    "fork", "vfork", "execve", "wait4", "waitid", "kill", "tgkill",                        // processes
    "pipe", "pipe2", "dup", "dup2", "dup3", "close_range", "setsid",                       // what they inherit
    fcntl_command(F_DUPFD), {"fcntl", is(1, F_SETFL), without(2, O_ASYNC | O_DIRECT)},
    ioctl_request(FIONBIO), ioctl_request(FIOCLEX), ioctl_request(FIONCLEX),
    "memfd_create", "ftruncate", "pwrite64",                                               // plans, shared tables
    fcntl_command(F_ADD_SEALS), fcntl_command(F_GET_SEALS),
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",             // loops
    "eventfd", "eventfd2", "poll", "ppoll", "select", "pselect6",
    {"socket", is(0, AF_UNIX)}, {"socket", is(0, AF_INET)}, {"socket", is(0, AF_INET6)},   // sockets: their life
    {"socketpair", is(0, AF_UNIX)}, "bind", "listen", "connect", {"accept4", only(3, SOCK_NONBLOCK | SOCK_CLOEXEC)},
    {"shutdown", is(1, SHUT_WR)}, {"shutdown", is(1, SHUT_RD)},                            // SHUT_RD: a listener rests
    "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",                    // sockets: their bytes
    "getsockname", "getpeername", ioctl_request(SIOCOUTQ),                                 // sockets: their state
    get_option(SOL_SOCKET, SO_ERROR), get_option(SOL_SOCKET, SO_PEERCRED), get_option(SOL_SOCKET, SO_ACCEPTCONN),
    get_option(SOL_SOCKET, SO_DOMAIN), get_option(SOL_SOCKET, SO_TYPE), get_option(SOL_SOCKET, SO_PROTOCOL),
    get_option(IPPROTO_TCP, TCP_USER_TIMEOUT),
    set_option(SOL_SOCKET, SO_REUSEADDR), set_option(SOL_SOCKET, SO_REUSEPORT),            // sockets: their options
    set_option(SOL_SOCKET, SO_SNDTIMEO), set_option(SOL_SOCKET, SO_KEEPALIVE), set_option(IPPROTO_TCP, TCP_NODELAY),
    set_option(IPPROTO_TCP, TCP_KEEPIDLE), set_option(IPPROTO_TCP, TCP_KEEPINTVL), set_option(IPPROTO_TCP, TCP_KEEPCNT),
    set_option(IPPROTO_TCP, TCP_USER_TIMEOUT), set_option(IPPROTO_TCP, TCP_QUICKACK),
    set_option(SOL_SOCKET, SO_DETACH_REUSEPORT_BPF), set_option(SOL_SOCKET, SO_DETACH_FILTER),
    "openat2",                                                                             // the connector's links
    // For the connector: local ports, libc's resolver, and what modules of nsswitch.conf(5) set on their sockets.
    set_option(IPPROTO_IP, kLocalPortRange), set_option(IPPROTO_IP, IP_RECVERR), set_option(IPPROTO_IPV6, IPV6_RECVERR),
    set_option(SOL_SOCKET, SO_PASSCRED), set_option(SOL_SOCKET, SO_RCVBUF), set_option(SOL_SOCKET, SO_SNDBUF),
    ioctl_request(SIOCGIFINDEX), ioctl_request(SIOCGIFNAME),
    "statfs", "fstatfs", "getdents64", "readv", "writev", "preadv", "pwritev",
    "umask", "chmod", "fchmod", "fchmodat", "unlink", "unlinkat", "stat", "lstat",         // the control socket
    "getppid", "getrlimit", "setrlimit", "get_robust_list", "membarrier",                  // libuv, libc
    "sched_yield", "sched_getparam", "sched_getscheduler", "clock_getres", "clock_nanosleep", "nanosleep", "time",
    "rt_sigtimedwait", "rt_sigsuspend", "rt_sigpending", "getpgrp", "getpgid", "getsid",
    "getgroups", "getresuid", "getresgid",
};
// clang-format on

}  // namespace

Programs::Programs()
    : worker(kWorkerProgram), connector(kConnectorProgram), inspector(kInspectorProgram), monitor(kMonitorProgram) {}

common::CallList supervisor_calls() {
  return common::joined({kSupervising, kClone, common::calls_of_start(), kLog, kMemory, kTime, kEnd});
}

std::vector<std::string> enter_supervisor_sandbox(const Programs& programs) {
  common::harden_process();
  if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    common::log::warning("descriptors_inherited",
                         "relayd's workers inherit the descriptors with which relayd was started",
                         {{"cause", strerror(errno)}});
  std::vector<common::FileRule> rules;
  const common::LoaderFiles loader(programs.worker.file());
  rules.insert(rules.end(), loader.rules().begin(), loader.rules().end());
  for (const auto* program : {&programs.connector, &programs.inspector, &programs.monitor})
    rules.push_back({program->file(), common::FileRule::run});
  return {common::forbid_writing(rules), common::allow_system_calls(supervisor_calls())};
}

}  // namespace relayd
