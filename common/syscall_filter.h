// A seccomp(2) allow-list: the only system calls that a process may make once it serves.
#pragma once

#include <span>
#include <string>

namespace common {

// From here on, all threads may make only the calls named in `allowed` (names that this libseccomp or processor does
// not know are skipped), open only sockets of `families`, and have no memory that is or becomes executable. Any other
// call fails with EPERM, so that a bug shows in the log. Executing a program, starting a process, and tracing or
// reading another process kill this process at once. Returns "" once the filter is in force, otherwise the cause, which
// the caller must report.
//
// With Executes::programs, execve(2), execveat(2), fork(2) and vfork(2) are allowed if `allowed` names them; Landlock
// must restrict which programs may run (FileRule::run). Memory may then be executable, because those programs are
// loaded under this filter.
enum class Executes { nothing, programs };
std::string allow_system_calls(std::span<const char* const> allowed, std::span<const int> families,
                               Executes executes = Executes::nothing);

}  // namespace common
