#include "common/syscall_filter.h"

#include <seccomp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace common {
namespace {

constexpr const char* kDeadly[] = {"execve",           "execveat",         "fork", "vfork", "ptrace",
                                   "process_vm_readv", "process_vm_writev"};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// Adds rules until one fails, and keeps its error.
struct Rules {
  scmp_filter_ctx filter;
  int error = 0;
  template <typename... Condition>
  void add(uint32_t action, const char* call, Condition... condition) {
    const int number = seccomp_syscall_resolve_name(call);
    if (error != 0 || number == __NR_SCMP_ERROR) return;
    error = seccomp_rule_add(filter, action, number, sizeof...(condition), condition...);
  }
};

}  // namespace

std::string allow_system_calls(std::span<const char* const> allowed, std::span<const int> families,
                               [[maybe_unused]] Executes executes) {
#if defined(MQTT_RELAY_SANITIZED)
  return "seccomp is off: a sanitizer needs system calls of its own";
#endif
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return "seccomp: no memory for the filter";
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  Rules rules{filter.get()};
  for (const char* call : allowed) rules.add(SCMP_ACT_ALLOW, call);
  for (const int family : families)
    rules.add(SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
  for (const char* call : {"mmap", "mprotect"})
    if (executes == Executes::programs) rules.add(SCMP_ACT_ALLOW, call);
    else rules.add(SCMP_ACT_ALLOW, call, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  const auto needed = [&](std::string_view call) {
    return executes == Executes::programs && std::ranges::find(allowed, call) != allowed.end();
  };
  for (const char* call : kDeadly)
    if (!needed(call)) rules.add(SCMP_ACT_KILL_PROCESS, call);
  if (rules.error == 0) rules.error = seccomp_load(filter.get());
  return rules.error == 0 ? "" : std::string("seccomp can't be enforced: ") + strerror(-rules.error);
}

}  // namespace common
