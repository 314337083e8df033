// The supervisor: reads and checks everything that is a file, binds, resolves, starts the workers and starts them
// again. It parses nothing that comes from the network and signs nothing.
//
// SIGHUP: a new generation of workers with what the files hold now; if anything is wrong with that, nothing changes.
// The operator's socket (control.h) does the same, and tells how it went.
// SIGTERM, SIGINT: drain and leave; once more: at once.
#pragma once

#include <string>

#include "relayd/supervisor/config_file.h"

namespace relayd {

// Runs until it is told to stop, or until a worker dies too often. Returns the exit status; what can't be used at start
// is a common::ConfigError, a later end that nobody asked for std::runtime_error.
int run_supervisor(const std::string& config_file, const Overrides& overrides);

}  // namespace relayd
