// `mqtt-relay log-level`: shows and changes the levels of relayd's log while it runs.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "common/operator/command_line.h"
#include "common/operator/terminal.h"
#include "relayd/admin/client.h"

namespace relayd::admin {

struct LogLevelLine {
  std::optional<std::string> level;      // "default": take back what was set; nullopt: only show
  std::optional<std::string> client_id;  // nullopt: relayd's own level
  std::string lasts;                     // as parse_seconds() reads it; "": without end
  bool json = false;
};

CLI::App* define_log_level(CLI::App& app, LogLevelLine& line);
// JSON: what relayd answers. Otherwise what has changed in words, or all levels as a table.
int log_level(const std::string& control_socket, const LogLevelLine& line, std::ostream& out, bool json);

// The table. `log`: of relayd's answer.
std::string shown_levels(const Json& log);

}  // namespace relayd::admin
