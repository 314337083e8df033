#include "common/syscall_filter.h"

#include <linux/filter.h>
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "common/fd.h"

namespace common {
namespace {

constexpr const char* kDeadly[] = {"execve",           "execveat",         "fork", "vfork", "ptrace",
                                   "process_vm_readv", "process_vm_writev"};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// Collects rules until one fails, and keeps its error.
class Filter {
 public:
  explicit Filter(uint32_t otherwise) : filter_(seccomp_init(otherwise)), error_(filter_ ? 0 : -ENOMEM) {
    set(SCMP_FLTATR_CTL_TSYNC, 1);
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  }

  void add(uint32_t action, const char* call, std::span<const scmp_arg_cmp> conditions = {}) {
    const int number = seccomp_syscall_resolve_name(call);
    if (error_ != 0 || number == __NR_SCMP_ERROR) return;
    error_ = seccomp_rule_add_array(filter_.get(), action, number, static_cast<unsigned>(conditions.size()),
                                    conditions.data());
  }

  int load() { return error_ != 0 ? error_ : seccomp_load(filter_.get()); }
  int write_to(int fd) { return error_ != 0 ? error_ : seccomp_export_bpf(filter_.get(), fd); }

 private:
  void set(scmp_filter_attr attribute, uint32_t value) {
    if (error_ == 0) error_ = seccomp_attr_set(filter_.get(), attribute, value);
  }

  std::unique_ptr<void, Release> filter_;
  int error_;
};

void add(Filter& filter, const Call& call) {
  std::vector<scmp_arg_cmp> conditions;
  for (const Argument& argument : call.conditions) {
    const bool own = argument.what == Argument::Is::own_process;
    const uint64_t bits = own ? 0xffffffff : argument.bits,
                   value = own ? static_cast<uint32_t>(getpid()) : argument.value;
    if (argument.what != Argument::Is::unchecked)
      conditions.push_back({argument.number, SCMP_CMP_MASKED_EQ, bits, value});
  }
  filter.add(call.answer == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<uint32_t>(call.answer)), call.name,
             conditions);
}

Filter allowing(std::span<const Call> allowed) {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  for (const Call& call : allowed) add(filter, call);
  for (const std::string_view deadly : kDeadly)
    if (std::ranges::none_of(allowed, [&](const Call& call) { return call.name == deadly; }))
      filter.add(SCMP_ACT_KILL_PROCESS, deadly.data());
  return filter;
}

std::string in_force(Filter& filter) {
#if defined(MQTT_RELAY_SANITIZED)
  static_cast<void>(filter);
  return "seccomp is off: a sanitizer needs system calls of its own";
#else
  const int error = filter.load();
  return error == 0 ? "" : std::string("seccomp can't be enforced: ") + strerror(-error);
#endif
}

}  // namespace

CallList joined(std::initializer_list<std::span<const Call>> lists) {
  CallList all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

std::string allow_system_calls(std::span<const Call> allowed) {
  Filter filter = allowing(allowed);
  return in_force(filter);
}

std::string refuse_system_calls_on(std::span<const int> descriptors, std::span<const char* const> refused) {
  Filter filter(SCMP_ACT_ALLOW);
  for (const char* call : refused)
    for (const int fd : descriptors) {
      const scmp_arg_cmp same{0, SCMP_CMP_MASKED_EQ, 0xffffffff, static_cast<uint32_t>(fd)};
      filter.add(SCMP_ACT_ERRNO(EPERM), call, {&same, 1});
    }
  return in_force(filter);
}

std::vector<sock_filter> compiled_filter(std::span<const Call> allowed) {
  const Fd file(memfd_create("filter", MFD_CLOEXEC));
  Filter filter = allowing(allowed);
  if (!file || filter.write_to(file.get()) != 0) throw std::runtime_error("the filter can't be compiled");
  std::vector<sock_filter> program(static_cast<size_t>(lseek(file.get(), 0, SEEK_END)) / sizeof(sock_filter));
  if (pread(file.get(), program.data(), program.size() * sizeof(sock_filter), 0) <= 0)
    throw std::runtime_error("the filter can't be read");
  return program;
}

}  // namespace common
