// keyd as a service: from its configuration to its end.
#pragma once

#include "keyd/guardian/guardian.h"
#include "keyd/startup/settings.h"

namespace keyd {

// Slots of locked memory that serving needs. They are apart, so that no use takes another's: wolfCrypt's work on each
// thread, the devices' keys, relayd's own.
struct LockedSlots {
  explicit LockedSlots(const Settings& settings);
  size_t work, devices, own;
  size_t all() const { return work + devices + own; }
};

// keyd's ends of the sockets to its notary (guardian/guardian.h); empty without bind_remote and bind_device. Throws
// common::ConfigError if a file of authorities can't be read, and whatever start_notary throws.
NotaryEnds notary_for(const Settings& settings, const common::log::Settings& log);

// Serves until SIGTERM or SIGINT; SIGHUP opens the audit file again, and asks the reader (vault/reload.h). If keyd
// can't start, or can't serve any longer, throws std::exception saying what the operator should do.
void serve(const Settings& settings, common::Fd reader);

}  // namespace keyd
