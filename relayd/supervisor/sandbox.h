// The supervisor's sandbox: the rights that it gives up for good, for itself and for every process that it starts.
#pragma once

#include "common/program.h"

namespace relayd {

// The only programs on the machine that the supervisor may execute. Throws std::runtime_error if one does not exist.
struct Programs {
  common::Program worker, connector, inspector, monitor;
  Programs();
};

// Makes every inherited descriptor but the standard ones close-on-exec. From here on the process is not dumpable, gains
// no privileges, can execute only `programs` and write no file (Landlock), and has only its own system calls (seccomp).
// Returns what the kernel lacks, for common::accept_sandbox().
std::vector<std::string> enter_supervisor_sandbox(const Programs& programs);

// What the supervisor may do, and its children until they enter their own sandboxes.
common::CallList supervisor_calls();

}  // namespace relayd
