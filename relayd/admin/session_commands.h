// The commands about single sessions and devices: top, sessions, session, trace, explain, drop, pause, resume,
// log-level.
#pragma once

#include <string>
#include <vector>

#include "common/operator/command_line.h"
#include "relayd/admin/explain.h"
#include "relayd/admin/log_level.h"
#include "relayd/admin/show_sessions.h"
#include "relayd/admin/top.h"
#include "relayd/admin/trace.h"

namespace relayd::admin {

// What their command lines say.
struct SessionCommands {
  TopLine top;
  SessionsLine sessions;
  std::string session;
  std::string drop_client, drop_session;
  ExplainLine explain;
  TraceLine trace;
  std::string trace_for;
  std::string listener;
  LogLevelLine log_level;
};

// Adds them to `app`. The caller adds --config to each.
std::vector<CLI::App*> define_session_commands(CLI::App& app, SessionCommands& line);
bool is_session_command(const std::string& name);
// Asks the relayd that listens on `control_socket`. Returns the exit status.
int run_session_command(const std::string& name, const SessionCommands& line, const std::string& control_socket);

}  // namespace relayd::admin
