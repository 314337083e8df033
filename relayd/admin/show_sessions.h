// `mqtt-relay sessions` and `mqtt-relay session`: what the workers say of their sessions, as a table or as JSON.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "common/operator/terminal.h"
#include "relayd/admin/client.h"

namespace relayd::admin {

// A session's facts that are known and of the right type, in a fixed order, with "worker", "generation", and "since"
// (RFC 3339), which is computed from its age. What else the worker says is left out.
Json checked_session(const Json& claimed, const FeedSocket& from, int64_t now);

struct SessionsLine {
  std::string client;  // a pattern
  uint32_t limit = 0;  // 0: all
  bool json = false;
};
// The sessions of all workers, by client id; as JSON a line for each, in the order in which they come. Returns the exit
// status: 1 if a worker did not say all, which goes to `errors`.
int show_sessions(const std::string& control_socket, const SessionsLine& line, std::ostream& out, std::ostream& errors,
                  const common::Screen& screen);

// One session. Throws std::runtime_error if no worker has it.
int show_session(const std::string& control_socket, const std::string& session, bool json, std::ostream& out,
                 std::ostream& errors, const common::Screen& screen);

}  // namespace relayd::admin
