#include "relayd/monitor/sandbox.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

#include "common/fd.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/syscall_filter.h"

namespace relayd::monitor {
namespace {

namespace log = common::log;

[[maybe_unused]] constexpr rlim_t kMostMemory =
    rlim_t{256} << 20;  // addresses; 30 MiB are the program, its libraries and its stacks
[[maybe_unused]] constexpr rlim_t kMostDescriptors = 32;  // 16 clients, one answer, and those that it started with
[[maybe_unused]] constexpr size_t kStack = 256 * 1024;    // of a thread; no recursion depends on a client

using namespace common::calls;

// clang-format off
constexpr common::Call kAnswering[] = {
    {"accept4", only(3, SOCK_NONBLOCK | SOCK_CLOEXEC)}, "recvfrom", {"shutdown", is(1, SHUT_WR)},  // clients
    {"sendto", is_null(4), only(3, MSG_NOSIGNAL | MSG_DONTWAIT)},                                 // they, and questions
    "recvmsg", "pread64",                                         // the supervisor's answer, in a memory file
    "poll", "ppoll", "close",                                     // waiting for both, and their end
    "clock_nanosleep", "nanosleep",                               // the pause between questions
};
// clang-format on

[[maybe_unused]] void limit(int resource, rlim_t most) {
  const rlimit both{most, most};
  if (setrlimit(static_cast<__rlimit_resource_t>(resource), &both) != 0)
    throw std::system_error(errno, std::generic_category(), "setrlimit");
}

}  // namespace

std::string give_up_files() {
  common::harden_process();
#if defined(MQTT_RELAY_SANITIZED)
  return "files and memory have no limit: a sanitizer reads its own files and maps much memory";
#else
  std::string lacking = common::forbid_files();
  // Otherwise glibc reserves 64 MiB of addresses for each thread's own arena (mallopt(3)).
  mallopt(M_ARENA_MAX, 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  limit(RLIMIT_AS, kMostMemory);
  limit(RLIMIT_NOFILE, kMostDescriptors);
  return lacking;
#endif
}

common::CallList calls() { return common::joined({kAnswering, kLog, kMemory, kTime, kEnd}); }

void give_up_system_calls(const std::string& lacking_files, bool required) {
  const std::string calls = common::allow_system_calls(monitor::calls());
  common::accept_sandbox(std::array{lacking_files, calls}, required);
  if (!lacking_files.empty() || !calls.empty()) return;
  const common::Fd root(::open("/", O_RDONLY | O_CLOEXEC));
  const int file_error = errno;
  const common::Fd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int socket_error = errno;
  if (root || made) throw std::runtime_error("the sandbox is in force, but the monitor could open a file or a socket");
  log::info("sandboxed",
            "monitor is sandboxed: it can open no file, make no socket, execute nothing, is not dumpable and gains no "
            "privileges",
            {{"open(\"/\")", strerror(file_error)}, {"socket()", strerror(socket_error)}});
}

}  // namespace relayd::monitor
