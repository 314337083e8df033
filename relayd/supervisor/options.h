// relayd's command line besides --config: the settings that a flag or an environment variable can override. The
// operator's command reads the same variables, so it sees the same settings as relayd.
#pragma once

#include <vector>

#include "common/daemon_options.h"
#include "relayd/supervisor/config_file.h"

namespace relayd {

std::vector<common::DaemonOption> options_of(Overrides& overrides);  // the options write to `overrides`

}  // namespace relayd
