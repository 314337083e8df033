// `mqtt-relay size`: its command line, and its answer as a table or as JSON.
#pragma once

#include <iosfwd>

#include "common/operator/command_line.h"
#include "common/operator/terminal.h"
#include "relayd/admin/sizing.h"

namespace relayd::admin {

struct SizeLine {
  FleetSize fleet;
  bool json = false;
};

// Adds the command to `app`; parsing fills `line`, with errors that say what is allowed. No configuration is read.
void define_size(CLI::App& app, SizeLine& line);

// Prints the answer: JSON if it is asked for or if `screen` is no terminal. Exit status: 0, or 1 if --nodes are too
// few.
int run_size(const SizeLine& line, std::ostream& out, const common::Screen& screen);

}  // namespace relayd::admin
