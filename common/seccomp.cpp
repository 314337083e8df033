#include "common/seccomp.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace common {
namespace {

// By name: the list must compile with a libseccomp that is older, or for a processor that lacks one of them.
constexpr const char* kForbidden[] = {"execve",
                                      "execveat",  // programs
                                      "ptrace",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "process_madvise",
                                      "kcmp",  // other processes
                                      "pidfd_open",
                                      "pidfd_getfd",
                                      "pidfd_send_signal",
                                      "perf_event_open",
                                      "userfaultfd",  //
                                      "unshare",
                                      "setns",
                                      "clone3",
                                      "mount",
                                      "umount2",
                                      "pivot_root",
                                      "chroot",
                                      "move_mount",  // another world
                                      "open_tree",
                                      "fsopen",
                                      "fsmount",
                                      "open_by_handle_at",
                                      "name_to_handle_at",  //
                                      "add_key",
                                      "request_key",
                                      "keyctl",
                                      "bpf",
                                      "io_uring_setup",
                                      "io_uring_enter",  // large kernel surfaces
                                      "io_uring_register",
                                      "init_module",
                                      "finit_module",
                                      "delete_module",
                                      "kexec_load",  //
                                      "swapon",
                                      "swapoff",
                                      "reboot",
                                      "quotactl",
                                      "acct",
                                      "settimeofday",
                                      "clock_settime",  //
                                      "setuid",
                                      "setgid",
                                      "setreuid",
                                      "setregid",
                                      "setresuid",
                                      "setresgid",
                                      "setgroups",
                                      "capset",
                                      "personality"};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

int add_rules(scmp_filter_ctx filter) {
  const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
  for (const char* name : kForbidden) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;  // unknown to this libseccomp
    // glibc falls back from clone3 to clone if it "does not exist"; a thread must stay possible.
    const uint32_t action = strcmp(name, "clone3") == 0 ? SCMP_ACT_ERRNO(ENOSYS) : refuse;
    if (const int error = seccomp_rule_add(filter, action, number, 0); error != 0) return error;
  }
  // Families are few and dense at the low end: AF_UNIX 1, AF_INET 2, AF_INET6 10. Refuse the gaps.
  static_assert(AF_UNIX == 1 && AF_INET == 2 && AF_INET6 == 10);
  int error = seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, 0));
  for (unsigned family = 3; error == 0 && family < AF_INET6; family++)
    error = seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family));
  if (error == 0) error = seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, AF_INET6));
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    if (error == 0)
      error = seccomp_rule_add(filter, refuse, call, 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC));
  return error;
}

}  // namespace

std::string forbid_system_calls() {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return "seccomp: no memory for the filter";
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  int error = add_rules(filter.get());
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? "" : std::string("seccomp can't be enforced: ") + strerror(-error);
}

}  // namespace common
