// keyd as a service: from its configuration to its end.
#pragma once

#include "common/fd.h"
#include "keyd/startup/settings.h"

namespace keyd {

// Slots of locked memory that serving takes: the cached keys, the listener's copies, and what wolfCrypt needs to work
// on each thread.
size_t locked_slots(const Settings& settings);

// keyd's end of the socket pair with its notary (guardian/guardian.h); empty without bind_remote. common::ConfigError
// if its file of authorities can't be read, and whatever start_notary throws.
common::Fd notary_for(const std::optional<BindRemote>& bind, common::log::Level level);

// Serves until SIGTERM or SIGINT; SIGHUP opens the audit file again. Throws std::exception with what the operator
// should do if it can't start.
void serve(const Settings& settings);

}  // namespace keyd
