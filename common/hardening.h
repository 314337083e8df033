// What a process gives up for good before it serves anyone. Linux only; not to be undone.
#pragma once

#include <initializer_list>
#include <string>

namespace common {

// Not dumpable (prctl(2): no ptrace, no /proc/PID/mem for its own user, no core), RLIMIT_CORE 0, no new privileges.
// Every kernel that we run on has these: failure throws std::system_error.
void harden_process();

// Landlock: from here on this process can open, create, rename or execute no file, but read those beneath `readable`
// (paths; they must exist). It binds and connects freely, Unix sockets included. Inherited descriptors stay usable.
// Returns
// "" when it is in force, else what the kernel lacks: the caller must say so.
std::string forbid_files(std::initializer_list<const char*> readable = {});

}  // namespace common
