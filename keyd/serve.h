// keyd as a service: from its configuration to its end.
#pragma once

#include "keyd/settings.h"

namespace keyd {

// Serves until SIGTERM or SIGINT; SIGHUP opens the audit file again. Throws std::exception with what the operator
// should do if it can't start.
void serve(const Settings& settings);

}  // namespace keyd
