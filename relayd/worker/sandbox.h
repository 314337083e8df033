// What a worker gives up before it serves anybody.
#pragma once

namespace relayd {

// From here on this process opens no file, executes nothing, sees and signals no other process, makes sockets of
// AF_INET, AF_INET6 and AF_UNIX only, gains no privileges and is not dumpable; and has only the system calls that
// relaying takes. Logs what protects it, or by name what does not.
void enter_sandbox(int worker);

}  // namespace relayd
