// `mqtt-relay config`: prints what a configuration may have, and checks one as its daemon would read it.
#pragma once

#include <optional>
#include <string>

#include "common/operator/checks.h"
#include "common/operator/command_line.h"
#include "relayd/supervisor/config_file.h"

namespace relayd::admin {

struct ConfigLine {
  std::string daemon;  // "keyd" or "relayd"; "": both, to print relayd's
  std::optional<std::string> keyd_config, relayd_config;
  common::ReportOptions report;
};

// Adds the commands to `app`; parsing fills `line`, and `config` with --config.
void define_config(CLI::App& app, ConfigLine& line, std::optional<std::string>& config);

// Runs `config print-default`, `config schema` or `config check`. The files to check are named by the caller; "": not
// that daemon's. Returns the exit status.
int run_config(const std::string& name, const ConfigLine& line, const std::pair<std::string, std::string>& files,
               const Overrides& overrides);

}  // namespace relayd::admin
