#include "keyd/startup/sandbox.h"

#include <fcntl.h>

#include <stdexcept>

#include "common/fd.h"
#include "common/log.h"

namespace keyd {
namespace {

using namespace common::calls;

// All system calls that serving needs. Of two names for one call, a processor has only one; the other is skipped.
// clang-format off
constexpr common::Call kServing[] = {
    "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "ppoll",              // the loop
    {"accept4", only(3, SOCK_NONBLOCK | SOCK_CLOEXEC)},                     // workers
    get_option(SOL_SOCKET, SO_PEERCRED), set_option(SOL_SOCKET, SO_TIMESTAMPNS),
    "recvmsg", "recvfrom", "sendmsg", "sendto",                             // workers, the notary
    {"socket", is(0, AF_UNIX), is(1, SOCK_DGRAM | SOCK_CLOEXEC)},           // sd_notify(3)
    set_option(SOL_SOCKET, SO_SNDTIMEO),
    "openat", "statx", "read", "close", "flock",                            // key files, the audit file
    "sched_yield", "geteuid", "getegid",
};
// clang-format on

}  // namespace

std::vector<common::FileRule> what_stays_allowed(const KeyStore::Place& keys, const std::vector<KeyStore::Place>& own,
                                                 const std::optional<AuditFile>& audit) {
  using common::FileRule;
  std::vector<FileRule> rules{{keys.directory.get(), FileRule::read}};
  for (const auto& each : own) rules.push_back({each.directory.get(), FileRule::read});
  if (audit) rules.push_back({audit->directory.get(), FileRule::append});
#if defined(MQTT_RELAY_SANITIZED)  // LeakSanitizer, at the end of the process, reads /proc
  static const common::Fd proc(::open("/proc", O_PATH | O_CLOEXEC));
  rules.push_back({proc.get(), FileRule::read});
#endif
  return rules;
}

common::CallList serving_calls() { return common::joined({kServing, kWatched, kLog, kMemory, kTime, kEnd}); }

std::string confine_system_calls() { return common::allow_system_calls(serving_calls()); }

}  // namespace keyd
