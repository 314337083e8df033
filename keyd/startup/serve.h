// keyd as a service: from its configuration to its end.
#pragma once

#include "common/fd.h"
#include "keyd/startup/settings.h"

namespace keyd {

// Slots of locked memory that serving needs: for the cached keys, the listener's copies, and wolfCrypt's work on each
// thread.
size_t locked_slots(const Settings& settings);

// keyd's end of the socket pair with its notary (guardian/guardian.h); empty without bind_remote. Throws
// common::ConfigError if its file of authorities can't be read, and whatever start_notary throws.
common::Fd notary_for(const std::optional<BindRemote>& bind, common::log::Level level);

// Serves until SIGTERM or SIGINT; SIGHUP opens the audit file again. If keyd can't start, throws std::exception saying
// what the operator should do.
void serve(const Settings& settings);

}  // namespace keyd
