// What keyd gives up for good before it serves. keyd does this itself, whatever its unit says.
#pragma once

#include <string>
#include <vector>

namespace keyd {

// Forbids, for all threads, every system call that serving does not need. Returns "" or what the kernel lacks. Call
// common::forbid_files() first.
std::string confine_system_calls();

// Logs each of `missing` that is not empty. Throws std::runtime_error for the first one if the sandbox is required.
void accept_sandbox(const std::vector<std::string>& missing, bool required);

}  // namespace keyd
