// The supervisor: reads and checks all files, binds the listening sockets, starts workers and their connector, and
// restarts them. It parses no byte from the network, and signs nothing.
//
// SIGHUP: starts a new generation of workers from the files' current content; if anything is wrong with it, nothing
// changes. The operator's socket (control.h) does the same and reports the result.
// SIGTERM, SIGINT: drains the sessions, then exits; a second one: exits at once.
#pragma once

#include <string>

#include "relayd/supervisor/config_file.h"

namespace relayd {

// Runs until a signal stops it, or until a worker dies too often. Returns the exit status. Throws common::ConfigError
// if something can't be used at start, std::runtime_error if a failure ends it later.
int run_supervisor(const std::string& config_file, const Overrides& overrides);

}  // namespace relayd
