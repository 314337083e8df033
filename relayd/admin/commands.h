// The command line of mqtt-relay. It has relayd's commands, and both halves of `check`; `keys` and `audit` it passes on
// to keyd's half.
//
// status, reload and disconnect ask the relayd that runs by its control socket, which they find in the configuration
// that relayd was started with.
#pragma once

#include <string>
#include <vector>

namespace relayd::admin {

// Does what the words behind the program's name say, and returns the exit status.
int command_line(std::vector<std::string> words);

}  // namespace relayd::admin
