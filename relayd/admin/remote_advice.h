// Advice for `check` on a remote broker that a probe did not reach. Pure.
#pragma once

#include <string>

#include "relayd/admin/remote_probe.h"
#include "relayd/handover/config.h"

namespace relayd::admin {

struct Advice {
  std::string found, fix;
};

// For a probe that reached no address, or whose TLS did not come up for another reason than a missing device
// certificate. `config_file` is the file in which to change settings.
Advice advice_on(const ProbeResult& probe, const Config::Broker& broker, const std::string& config_file);

}  // namespace relayd::admin
