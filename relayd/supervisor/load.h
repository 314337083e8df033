// relayd.json and every file that it names, read and checked whole: at start, and before a reload changes anything.
#pragma once

#include <string>

#include "relayd/config.h"
#include "relayd/worker/plan.h"

namespace relayd {

struct Loaded {
  Plan plan;  // but for the worker's number and the addresses
  Config config;
  tls::CertificateChain certificate;  // the listener's
};

// common::ConfigError: what a worker could not load either, with file, setting and remedy.
Loaded load(const std::string& config_file, const Overrides& overrides);

}  // namespace relayd
