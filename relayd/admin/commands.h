// The command line of mqtt-relay. It runs relayd's commands and both halves of `check`, and passes `keys` and `audit`
// on to keyd's half.
//
// status, reload and the commands about sessions ask the running relayd through its control socket, whose path is in
// relayd's configuration.
#pragma once

#include <string>
#include <vector>

namespace relayd::admin {

// Runs the command given by the words after the program's name; returns the exit status.
int command_line(std::vector<std::string> words);

}  // namespace relayd::admin
