// The worker's sandbox: the rights that it gives up before it serves its first device.
#pragma once

#include "common/syscall_filter.h"

namespace relayd {

// From here on this process can open no file, make no socket, execute nothing, and neither see nor signal another
// process. It is not dumpable, gains no privileges, and has only the system calls that relaying needs, with only the
// arguments that relaying needs. `listeners` descriptors, from kFirstListenerFd, are listening sockets: it can neither
// end nor change them. Logs which protections are in force; common::accept_sandbox() judges what is missing.
void enter_sandbox(int worker, int listeners, bool required);

common::CallList worker_calls();

}  // namespace relayd
