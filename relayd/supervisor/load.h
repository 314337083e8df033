// Reads relayd.json and every file that it names, completely: at start, and before a reload changes anything. The
// inspector (inspection.h) judges the certificates.
#pragma once

#include <string>

#include "common/config.h"
#include "relayd/handover/plan.h"
#include "relayd/supervisor/config_file.h"

namespace relayd {

// Reads a PEM file; an empty Pem if `file` is "". Errors about it, here or where it is parsed, start with its setting.
trust::Pem read_pem(const std::string& config_file, const std::string& setting, const std::string& file);

// Those that a listener shows: one for each of its certfiles.
std::vector<trust::Pem> read_certificates(const std::string& config_file, const Config::Listener& listener);

// The setting that names the CAs of a broker's certificate: "remote.cacertfile", or its own in remote_hosts.
std::string authorities_setting(const Config& config, size_t broker);

struct Loaded {
  Plan plan;
  std::string proxy_credentials;  // not a part of the plan, which workers and inspector get
  common::ConfigSources sources;
  std::vector<std::string> files;  // that were read, the directory of the drop-ins among them
};

// Returns a plan without the worker's number and the addresses. Throws common::ConfigError, which names file, setting
// and remedy, if a setting is wrong or a file can't be read; common::NotYet if a CRL file does not exist.
Loaded load(const std::string& config_file, const Overrides& overrides);

}  // namespace relayd
