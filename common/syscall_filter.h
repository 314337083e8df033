// A seccomp(2) allow-list: the only system calls, with the only arguments, that a process may make once it serves.
//
// A call is listed by its name alone, or with conditions on its arguments, which are numbered from 0. It is allowed if
// one entry of the list allows it:
//
//   "epoll_wait", {"shutdown", is(1, SHUT_WR)}, set_option(IPPROTO_TCP, TCP_NODELAY), fcntl_command(F_GETFL)
//
// The filter sees numbers, not what a pointer points to. A call whose dangerous argument lies in memory, such as
// ioctl(FIONBIO) or clone3(2), is therefore not listed, or fails with an error that makes the caller take another way.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

struct sock_filter;

namespace common {

struct Argument {
  enum class Is { unchecked, equal, own_process };
  unsigned number = 0;
  Is what = Is::unchecked;
  uint64_t bits = 0, value = 0;  // equal: argument & bits == value
};

namespace calls {

// For an int: the kernel ignores the upper half of the argument, and so does the filter.
constexpr Argument is(unsigned number, int value) {
  return {number, Argument::Is::equal, 0xffffffff, static_cast<uint32_t>(value)};
}
constexpr Argument is_long(unsigned number, uint64_t value) {
  return {number, Argument::Is::equal, ~uint64_t{0}, value};
}
constexpr Argument is_null(unsigned number) { return is_long(number, 0); }
// No other bits than these are set.
constexpr Argument only(unsigned number, int bits) {
  return {number, Argument::Is::equal, ~static_cast<uint32_t>(bits), 0};
}
constexpr Argument without(unsigned number, uint64_t bits) { return {number, Argument::Is::equal, bits, 0}; }
constexpr Argument is_own_process(unsigned number) { return {number, Argument::Is::own_process, 0, 0}; }

}  // namespace calls

// A name that this libseccomp or processor does not know is skipped.
struct Call {
  const char* name;
  Argument conditions[3] = {};
  int answer = 0;  // 0: allowed; otherwise the errno with which the call fails

  constexpr Call(const char* call, const Argument& first = {}, const Argument& second = {}, const Argument& third = {})
      : name(call), conditions{first, second, third} {}
  constexpr Call(int error, const char* call, const Argument& first = {})
      : name(call), conditions{first}, answer(error) {}
};

namespace calls {

constexpr Call set_option(int level, int option) { return {"setsockopt", is(1, level), is(2, option)}; }
constexpr Call get_option(int level, int option) { return {"getsockopt", is(1, level), is(2, option)}; }
constexpr Call fcntl_command(int command) { return {"fcntl", is(1, command)}; }
constexpr Call ioctl_request(unsigned request) { return {"ioctl", is(1, static_cast<int>(request))}; }

// clone(2): a process or a thread, but in the namespaces of the caller. clone3(2) has its flags in memory; after
// ENOSYS, libc takes clone(2).
constexpr uint64_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr Call kClone[] = {{"clone", without(0, kNewNamespaces)}, {ENOSYS, "clone3"}};
// libuv sets each descriptor that it watches to non-blocking by ioctl(FIONBIO), whose argument is in memory: with it, a
// process could also make a shared socket block. After ENOTTY, libuv asks fcntl(F_GETFL), and is content with a
// descriptor that does not block.
constexpr Call kWatched[] = {{ENOTTY, "ioctl", is(1, FIONBIO)}, fcntl_command(F_GETFL)};
// common/output.h. A position other than -1 would let a process overwrite a log file.
constexpr Call kLog[] = {"write",
                         "fstat",
                         "newfstatat",
                         {"pwritev2", is_long(3, ~uint64_t{0}), is(5, RWF_NOWAIT)},
                         fcntl_command(F_GETPIPE_SZ),
                         ioctl_request(FIONREAD)};
constexpr Call kMemory[] = {"brk",
                            "munmap",
                            "mremap",
                            {"mmap", without(2, PROT_EXEC)},
                            {"mprotect", without(2, PROT_EXEC)},
                            {"madvise", is(2, MADV_DONTNEED)},
                            {"madvise", is(2, MADV_FREE)}};
// What the loop, libc and the C++ runtime need of time and locks. futex(2): wait and wake, with or without a deadline.
constexpr Argument futex_operation(int operation) {
  return {1, Argument::Is::equal, 0xffffffff & ~(128u | 256u), static_cast<uint64_t>(operation)};
}
constexpr Call kTime[] = {"clock_gettime",
                          "gettimeofday",
                          "getrandom",
                          "restart_syscall",
                          {"futex", futex_operation(0)},
                          {"futex", futex_operation(1)},
                          {"futex", futex_operation(9)},
                          {"futex", futex_operation(10)}};
// Signals, the crash report (common/crash_report.h), abort(3), the end.
constexpr Call kEnd[] = {
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "gettid", "getpid", {"tgkill", is_own_process(0)},
    "exit",         "exit_group"};

}  // namespace calls

using CallList = std::vector<Call>;
CallList joined(std::initializer_list<std::span<const Call>> lists);

// From here on, all threads may make only the calls that `allowed` lists. Any other call fails with EPERM, so that a
// bug shows in the log. Executing a program, starting a process, and tracing or reading another process kill this
// process at once, unless listed; so do the system calls of another ABI (32-bit, x32). Returns "" once the filter is in
// force, otherwise the cause, which the caller must report.
//
// A list with execveat(2) must be accompanied by Landlock, which restricts which programs may run (FileRule::run).
std::string allow_system_calls(std::span<const Call> allowed);

// From here on, these calls fail with EPERM on these descriptors, whatever allow_system_calls() allows. Call it before.
std::string refuse_system_calls_on(std::span<const int> descriptors, std::span<const char* const> refused);

// The program that allow_system_calls() hands to the kernel, for the tests.
std::vector<sock_filter> compiled_filter(std::span<const Call> allowed);

}  // namespace common
