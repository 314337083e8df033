// The system calls that a process still needs once it serves, and no other: a seccomp(2) allow-list.
#pragma once

#include <span>
#include <string>

namespace common {

// From here on, for all threads: the calls named in `allowed` (names that this libseccomp or processor does not know
// are skipped), sockets of the families in `families` only, and no memory that is or becomes executable. What else is
// tried fails with EPERM, so that a bug shows in the log; running a program, starting a process, tracing or reading
// another ends this process at once. Returns "" when it is in force, else why not: the caller must say so.
// With Executes::programs those of execve(2), execveat(2), fork(2) and vfork(2) that `allowed` names are not deadly;
// Landlock must say which programs (FileRule::run). Memory may be executable then, as they are loaded under this
// filter.
enum class Executes { nothing, programs };
std::string allow_system_calls(std::span<const char* const> allowed, std::span<const int> families,
                               Executes executes = Executes::nothing);

}  // namespace common
