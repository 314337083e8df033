// What the monitor gives up before it reads the first byte of a client.
#pragma once

#include <string>

namespace relayd::monitor {

// From here on this process, and each thread that it starts, opens no file and executes nothing, is not dumpable and
// gains no privileges. Its memory and descriptors have limits, so that clients can exhaust this process but not the
// machine. Call it before the first thread: Landlock binds the calling thread and those that it starts (landlock(7)).
// Returns "", or by name what the kernel lacks.
std::string give_up_files();

// From here on all threads have only the system calls that answering takes; none makes a socket, a process or a thread.
// Call it last, with what give_up_files() returned. Logs what protects this process, or by name what does not.
void give_up_system_calls(const std::string& lacking_files);

}  // namespace relayd::monitor
