#include "keyd/startup/sandbox.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <stdexcept>

#include "common/fd.h"
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

std::vector<common::FileRule> what_stays_allowed(const KeyStore::Place& keys, const KeyStore::Place& listener,
                                                 const std::optional<AuditFile>& audit) {
  using common::FileRule;
  std::vector<FileRule> rules{{keys.directory.get(), FileRule::read}, {listener.directory.get(), FileRule::read}};
  if (audit) rules.push_back({audit->directory.get(), FileRule::append});
#if defined(MQTT_RELAY_SANITIZED)  // LeakSanitizer, at the end of the process, reads /proc
  static const common::Fd proc(::open("/proc", O_PATH | O_CLOEXEC));
  rules.push_back({proc.get(), FileRule::read});
#endif
  return rules;
}

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
