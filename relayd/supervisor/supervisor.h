// The supervisor: reads and checks everything that is a file, binds, resolves, starts the workers and starts them
// again. It parses nothing that comes from the network and signs nothing.
#pragma once

#include <string>

#include "relayd/config.h"

namespace relayd {

// Runs until SIGTERM or SIGINT and the workers' drain. Returns the exit status; what can't be used at start is a
// common::ConfigError.
int run_supervisor(const std::string& config_file, const Overrides& overrides);

}  // namespace relayd
