// keyd as a service: from its configuration to its end.
#pragma once

#include "keyd/settings.h"

namespace keyd {

// Slots of locked memory that serving takes: the cached keys, the listener's copies, and what wolfCrypt needs to work
// on each thread.
size_t locked_slots(const Settings& settings);

// Serves until SIGTERM or SIGINT; SIGHUP opens the audit file again. Throws std::exception with what the operator
// should do if it can't start.
void serve(const Settings& settings);

}  // namespace keyd
