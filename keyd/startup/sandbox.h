// What keyd gives up for good before it serves. The program does so itself, whatever the unit says.
#pragma once

#include <string>
#include <vector>

namespace keyd {

// For all threads: every system call that serving does not need. Returns "" or what the kernel lacks. Files are
// forbidden before, by common::forbid_files().
std::string confine_system_calls();

// Logs each of `missing` that is not empty. Throws std::runtime_error for the first one if the sandbox is required.
void accept_sandbox(const std::vector<std::string>& missing, bool required);

}  // namespace keyd
