#include "relayd/supervisor/sandbox.h"

#include <linux/close_range.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/hardening.h"
#include "common/log.h"
#include "common/syscall_filter.h"
#include "relayd/handover/findings.h"
#include "relayd/handover/monitor_question.h"
#include "relayd/handover/plan.h"

namespace relayd {
namespace {

// The system calls that supervising needs in addition to a program's start (common::calls_of_start). Children inherit
// the filter, so the list also has every call that the workers and the other programs need; each of them gives up most.
// clang-format off
constexpr const char* kCalls[] = {
    "clone", "clone3", "fork", "vfork", "execve", "wait4", "waitid", "kill", "tgkill",     // processes
    "pipe", "pipe2", "dup", "dup2", "dup3", "close_range", "setsid",                       // what they inherit
    "memfd_create", "ftruncate", "pwrite64",                                               // plans, shared tables
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",             // loops
    "eventfd", "eventfd2", "poll", "ppoll", "select", "pselect6", "restart_syscall",
    "bind", "listen", "accept4", "connect", "shutdown", "socketpair",                      // sockets: their life
    "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",                    // sockets: their bytes
    "getsockname", "getpeername", "getsockopt", "setsockopt", "ioctl",                     // sockets: their options
    "umask", "chmod", "fchmod", "fchmodat", "unlink", "unlinkat", "stat", "lstat",         // the control socket
    "statfs", "fstatfs", "getdents64", "readv", "writev", "preadv", "pwritev", "pwritev2", // names (NSS), the log
    "getppid", "getrlimit", "setrlimit", "get_robust_list", "membarrier",                  // libuv, libc
    "sched_yield", "sched_getparam", "sched_getscheduler", "clock_getres", "clock_nanosleep", "nanosleep", "time",
    "rt_sigtimedwait", "rt_sigsuspend", "rt_sigpending", "getpgrp", "getpgid", "getsid",
    "getgroups", "getresuid", "getresgid"};
// clang-format on
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};  // netlink: getaddrinfo(3) lists our addresses

}  // namespace

Programs::Programs() : worker(kWorkerProgram), inspector(kInspectorProgram), monitor(kMonitorProgram) {}

void enter_supervisor_sandbox(const Programs& programs) {
  common::harden_process();
  if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    common::log::warning("relayd's workers inherit the descriptors with which relayd was started",
                         {{"cause", strerror(errno)}});
  std::vector<common::FileRule> rules;
  const common::LoaderFiles loader(programs.worker.file());
  rules.insert(rules.end(), loader.rules().begin(), loader.rules().end());
  for (const auto* program : {&programs.inspector, &programs.monitor})
    rules.push_back({program->file(), common::FileRule::run});
  std::vector<const char*> calls = common::calls_of_start();
  calls.insert(calls.end(), std::begin(kCalls), std::end(kCalls));
  for (const std::string& lacking :
       {common::forbid_writing(rules), common::allow_system_calls(calls, kFamilies, common::Executes::programs)})
    if (!lacking.empty())
      common::log::warning("relayd's own sandbox is weaker than it should be", {{"cause", lacking}});
}

}  // namespace relayd
