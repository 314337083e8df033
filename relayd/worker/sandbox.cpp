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

// All that relaying takes: the loop, sockets, inherited descriptors, memory, fibers (their stacks, and the signal mask
// that swapcontext(3) sets), the end. Of two names for one thing, processors have one; the other is skipped.
constexpr const char* kServing[] = {"epoll_wait",   "epoll_pwait",     "epoll_ctl",     "ioctl",  // the loop
                                    "accept4",      "connect",         "recvfrom",      "recvmsg",
                                    "sendto",       "sendmsg",  // sockets
                                    "shutdown",     "getsockopt",      "setsockopt",    "getsockname",
                                    "read",         "write",           "pwritev2",  //
                                    "close",        "fcntl",           "pread64",       "fstat",
                                    "newfstatat",  // descriptors
                                    "munmap",       "mremap",          "madvise",       "brk",
                                    "futex",        "getrandom",  // memory
                                    "gettid",       "getpid",          "clock_gettime", "gettimeofday",
                                    "sched_yield",  "restart_syscall", "poll",          "ppoll",  //
                                    "exit",         "exit_group",      "rt_sigaction",  "rt_sigprocmask",
                                    "rt_sigreturn", "sigaltstack",  // the end
                                    "tgkill"};
constexpr int kFamilies[] = {AF_INET, AF_INET6, AF_UNIX};

}  // namespace

void enter_sandbox(int worker) {
  common::harden_process();
#if defined(MQTT_RELAY_SANITIZED)
  // LeakSanitizer, at the end of the process, reads /proc and traces its threads.
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
