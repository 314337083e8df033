// The notary's sandbox: the rights that it gives up before it says that it can answer.
#pragma once

#include "common/syscall_filter.h"

namespace keyd {

// From here on this process opens no file, makes no socket, executes nothing, and has only the system calls that
// answering needs. The log warns about each protection that the kernel lacks.
void enter_notary_sandbox();

common::CallList notary_calls();

}  // namespace keyd
