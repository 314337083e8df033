// keyd's command line: what may stand on it, and which function does it.
#pragma once

#include <functional>

#include "keyd/startup/settings.h"

namespace keyd::admin {

// Runs what the command line says and returns the exit status. Without a command word that is `serve`, which throws
// std::exception if it fails.
int command_line(int argc, char** argv, const std::function<void(const Settings&)>& serve);

}  // namespace keyd::admin
