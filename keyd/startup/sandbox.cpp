#include "keyd/startup/sandbox.h"

#include <sys/socket.h>

#include <stdexcept>

#include "common/log.h"
#include "common/syscall_filter.h"

namespace keyd {
namespace {

// All system calls that serving needs. Of two names for one call, a processor has only one; the other is skipped.
// clang-format off
constexpr const char* kServing[] = {
    "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "ppoll",              // the loop
    "accept4", "getsockopt", "setsockopt",                                  // the socket that workers connect to
    "recvmsg", "recvfrom", "sendto", "sendmsg",                             // workers, the notary, sd_notify(3)
    "openat", "newfstatat", "fstat", "statx", "read", "close",              // key files, the audit file
    "write", "pwritev2", "flock", "fcntl", "ioctl",                         // the audit and the log, which never wait
    "brk", "munmap", "mremap", "madvise",                                   // memory
    "futex", "sched_yield", "gettid",                                       // threads that exist
    "getrandom", "getpid", "geteuid", "clock_gettime", "gettimeofday",      // randomness, names, time
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",  // signals, and resuming after them
    "tgkill", "exit", "exit_group",                                         // the end, and abort(3)
};
// clang-format on
constexpr int kFamilies[] = {AF_UNIX};  // sd_notify(3)

}  // namespace

std::string confine_system_calls() { return common::allow_system_calls(kServing, kFamilies); }

void accept_sandbox(const std::vector<std::string>& missing, bool required) {
  for (const std::string& cause : missing) {
    if (cause.empty()) continue;
    if (required)
      throw std::runtime_error("require_sandbox is true, and this machine can't give all of it: " + cause +
                               "; use a kernel that has it, or set require_sandbox to false");
    common::log::warning("the sandbox is weaker than it should be", {{"cause", cause}});
  }
}

}  // namespace keyd
