#include "relayd/worker/sandbox.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>

#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "relayd/handover/plan.h"

namespace relayd {
namespace {

namespace log = common::log;
using namespace common::calls;

// Every system call that relaying needs. Where two calls do the same thing, an architecture has only one of them; the
// other is skipped.
// clang-format off
constexpr common::Call kRelaying[] = {
    "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "ppoll", "read",               // the loop and its wake-ups
    {"accept4", only(3, SOCK_NONBLOCK | SOCK_CLOEXEC)},                              // sockets: their life
    {"shutdown", is(1, SHUT_WR)}, "close",
    "recvfrom", "recvmsg",                                                           // sockets: their bytes
    {"sendto", is_null(4), only(3, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE)},
    "getsockname", get_option(SOL_SOCKET, SO_ERROR), ioctl_request(SIOCOUTQ),        // sockets: their state
    get_option(SOL_SOCKET, SO_DOMAIN), get_option(SOL_SOCKET, SO_PROTOCOL),          // what the connector handed over
    set_option(IPPROTO_TCP, TCP_USER_TIMEOUT), set_option(IPPROTO_TCP, TCP_QUICKACK), // sockets: their options
    {"fcntl", is(0, STDERR_FILENO), is(1, F_DUPFD_CLOEXEC)},                         // the acceptor's spare descriptor
    "pread64",                                                                       // memory in use; memory files
    "sched_yield",
};
// clang-format on

// The listening sockets are shared with the supervisor and, under socket activation, with the other workers. This
// worker accepts from them and closes them. Calls that would change or end them for the others are refused.
constexpr const char* kNotOnListeners[] = {"setsockopt", "shutdown"};

}  // namespace

common::CallList worker_calls() { return common::joined({kRelaying, kLog, kMemory, kTime, kEnd}); }

void enter_sandbox(int worker, int listeners, bool required) {
  common::harden_process();
#if defined(MQTT_RELAY_SANITIZED)
  // At process exit, LeakSanitizer reads /proc and traces the process's threads.
  const common::Fd proc(::open("/proc", O_PATH | O_CLOEXEC));
  const common::FileRule rules[] = {{proc.get(), common::FileRule::read}};
  const std::string files = common::forbid_files(rules);
#else
  const std::string files = common::forbid_files();
#endif
  std::vector<int> shared(static_cast<size_t>(listeners));
  std::iota(shared.begin(), shared.end(), kFirstListenerFd);
  std::string calls = common::refuse_system_calls_on(shared, kNotOnListeners);
  if (calls.empty()) calls = common::allow_system_calls(worker_calls());
  common::accept_sandbox(std::array{files, calls}, required);
  if (!files.empty() || !calls.empty()) return;
  const common::Fd root(::open("/", O_RDONLY | O_CLOEXEC));
  const int file_error = errno;
  const common::Fd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int socket_error = errno;
  if (root || made)
    throw std::runtime_error("the sandbox is in force, but this worker could open a file or make a socket");
  log::info("sandboxed",
            "worker is sandboxed: it can open no file, make no socket, execute nothing, is not dumpable and gains no "
            "privileges",
            {{"worker", worker}, {"open(\"/\")", strerror(file_error)}, {"socket()", strerror(socket_error)}});
}

}  // namespace relayd
