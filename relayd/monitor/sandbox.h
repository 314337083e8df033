// The rights that the monitor gives up before it reads a client's first byte.
#pragma once

#include <string>

#include "common/syscall_filter.h"

namespace relayd::monitor {

// From here on this process, and each thread that it starts, opens no file and executes nothing, is not dumpable and
// gains no privileges. Its memory and descriptors have limits, so that clients can exhaust this process but not the
// machine. Call it before the first thread: Landlock binds the calling thread and those that it starts (landlock(7)).
// Returns "", or the names of what the kernel lacks.
std::string give_up_files();

// From here on all threads have only the system calls that answering needs; none can make a socket, a process or a
// thread. Call it last, with the result of give_up_files(). Logs which protections are in force;
// common::accept_sandbox() judges what is missing.
void give_up_system_calls(const std::string& lacking_files, bool required);

common::CallList calls();

}  // namespace relayd::monitor
