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

inline constexpr size_t kMaxConfigFile = 1024 * 1024;

// A PEM file, or none if `file` is "". Errors about it, here or where it is parsed, begin with the setting that names
// it.
tls::Pem read_pem(const std::string& config_file, const std::string& setting, const std::string& file);

// common::ConfigError: what a worker could not load either, with file, setting and remedy. common::NotYet: a CRL file
// is not there.
Loaded load(const std::string& config_file, const Overrides& overrides);

}  // namespace relayd
