// What the supervisor gives up for good, and with it all processes that it starts.
#pragma once

#include "common/program.h"

namespace relayd {

// The programs that the supervisor may execute: its own, and nothing else on the machine. std::runtime_error if one is
// not there.
struct Programs {
  common::Program worker, inspector, monitor;
  Programs();
};

// What the process was started with open, but for the standard descriptors, becomes close-on-exec. Not dumpable, no new
// privileges; Landlock: executes `programs` alone and writes no file; seccomp. A part that this kernel lacks is a
// warning in the log.
void enter_supervisor_sandbox(const Programs& programs);

}  // namespace relayd
