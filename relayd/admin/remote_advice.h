// What to do about a remote broker that a probe did not get through to: by the cause, in `check`'s words. Pure.
#pragma once

#include <string>

#include "relayd/admin/remote_probe.h"
#include "relayd/handover/config.h"

namespace relayd::admin {

struct Advice {
  std::string found, fix;
};

// Of a probe that reached no address, or whose TLS did not come up, but for a wish for a device's certificate.
// `config_file` is where settings are to be changed.
Advice advice_on(const ProbeResult& probe, const Config& config, const std::string& config_file);

}  // namespace relayd::admin
