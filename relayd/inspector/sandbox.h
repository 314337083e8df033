// The inspector's sandbox: the rights that it gives up before it parses anything.
#pragma once

#include "common/syscall_filter.h"

namespace relayd::inspector {

// From here on this process opens no file, makes no socket, executes nothing, and has only the system calls that
// reading the plan, judging it and answering need. Returns what the kernel lacks, for common::accept_sandbox().
std::vector<std::string> enter_sandbox();

common::CallList calls();

}  // namespace relayd::inspector
