#include "keyd/startup/sandbox.h"

#include <sys/socket.h>

#include <stdexcept>

#include "common/log.h"
#include "common/syscall_filter.h"

namespace keyd {
namespace {

// All that serving takes: the loop, sockets, key files and the audit's (openat), memory, threads that exist, the
// end. Of two names for one thing, processors have one; the other is skipped.
constexpr const char* kServing[] = {
    "epoll_wait",   "epoll_pwait",    "epoll_ctl",    "poll",          "ppoll",        "ioctl",        // loop
    "accept4",      "recvmsg",        "recvfrom",     "sendto",        "sendmsg",      "getsockopt",   // sockets
    "setsockopt",   "read",           "write",        "pwritev2",      "close",        "openat",       // files
    "newfstatat",   "fstat",          "statx",        "flock",         "fcntl",        "munmap",       // memory
    "mremap",       "madvise",        "brk",          "getrandom",     "futex",        "sched_yield",  // threads
    "gettid",       "getpid",         "geteuid",      "clock_gettime", "gettimeofday", "restart_syscall",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",   "tgkill",       "exit",  // the end
    "exit_group"};
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
