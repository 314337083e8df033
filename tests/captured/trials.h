// Attacks and how each must end, and those that several captured processes try alike.
#pragma once

#include <string>
#include <vector>

namespace captured {

struct Trial {
  std::string command, outcome;
};

// By a process that opens no file and makes no socket.
std::vector<Trial> files_sockets_and_code();
// For the processes with these names.
std::vector<Trial> signals_to(const std::vector<std::string>& names);
std::vector<Trial> log_and_protection();

}  // namespace captured
