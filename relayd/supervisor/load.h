// relayd.json and every file that it names, read whole: at start, and before a reload changes anything. The inspector
// (inspection.h) judges the certificates.
#pragma once

#include <string>

#include "common/config.h"
#include "relayd/handover/plan.h"
#include "relayd/supervisor/config_file.h"

namespace relayd {

inline constexpr size_t kMaxConfigFile = 1024 * 1024;

// A PEM file, or none if `file` is "". Errors about it, here or where it is parsed, begin with the setting that names
// it.
trust::Pem read_pem(const std::string& config_file, const std::string& setting, const std::string& file);

// A plan without the worker's number and the addresses. common::ConfigError: a setting is wrong or a file can't be
// read; it names file, setting and remedy. common::NotYet: a CRL file is not there.
Plan load(const std::string& config_file, const Overrides& overrides);

}  // namespace relayd
