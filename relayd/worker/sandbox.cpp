#include "relayd/worker/sandbox.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/syscall_filter.h"

namespace relayd {
namespace {

namespace log = common::log;

// Every system call that relaying needs. Where two calls do the same thing, an architecture has only one of them; the
// other is skipped.
// clang-format off
constexpr const char* kServing[] = {
    "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "ppoll",                        // the loop
    "accept4", "connect", "shutdown",                                                 // sockets: their life
    "recvfrom", "recvmsg", "sendto", "sendmsg",                                       // sockets: their bytes
    "getsockopt", "setsockopt", "getsockname", "ioctl",                               // sockets: their options
    "read", "write", "pread64", "pwritev2",                                           // wake-ups, memory in use, the log
    "close", "fcntl", "fstat", "newfstatat",                                          // descriptors
    "munmap", "mremap", "madvise", "brk", "futex", "getrandom",                       // memory, fibers' stacks
    "rt_sigprocmask",                                                                 // fibers: swapcontext(3) sets it
    "clock_gettime", "gettimeofday", "restart_syscall", "sched_yield",                // time
    "gettid", "getpid", "tgkill", "rt_sigaction", "rt_sigreturn", "sigaltstack",      // the crash report
    "exit", "exit_group"};
// clang-format on
constexpr int kFamilies[] = {AF_INET, AF_INET6, AF_UNIX};

}  // namespace

void enter_sandbox(int worker) {
  common::harden_process();
#if defined(MQTT_RELAY_SANITIZED)
  // At process exit, LeakSanitizer reads /proc and traces the process's threads.
  const common::Fd proc(::open("/proc", O_PATH | O_CLOEXEC));
  const common::FileRule rules[] = {{proc.get(), common::FileRule::read}};
  const std::string files = common::forbid_files(rules);
#else
  const std::string files = common::forbid_files();
#endif
  const std::string calls = common::allow_system_calls(kServing, kFamilies);
  for (const std::string& lacking : {files, calls})
    if (!lacking.empty())
      log::warning("this worker's sandbox is weaker than it should be", {{"worker", worker}, {"cause", lacking}});
  if (!files.empty() || !calls.empty()) return;
  const common::Fd root(::open("/", O_RDONLY | O_CLOEXEC));
  if (root) throw std::runtime_error("the sandbox is in force, but this worker could open \"/\"");
  log::info("worker is sandboxed: it can open no file, execute nothing, is not dumpable and gains no privileges",
            {{"worker", worker}, {"open(\"/\")", strerror(errno)}});
}

}  // namespace relayd
