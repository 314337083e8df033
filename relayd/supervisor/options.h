// relayd's command line, beside --config: the settings that a flag or an environment variable can set. The operator's
// command reads the same variables, so that it sees what relayd would see.
#pragma once

#include <vector>

#include "common/daemon_options.h"
#include "relayd/supervisor/config_file.h"

namespace relayd {

std::vector<common::DaemonOption> options_of(Overrides& overrides);  // which they write to

}  // namespace relayd
