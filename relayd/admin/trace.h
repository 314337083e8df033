// `mqtt-relay trace`: what happens in one device's sessions, until ^C or for a time.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "relayd/admin/client.h"

namespace relayd::admin {

struct TraceLine {
  std::string client_id;
  bool topics = false;
  std::optional<uint64_t> seconds = {};  // how long; none: until ^C
};

// "90", "90s", "5m", "2h"; nullopt: it is none, or 0, or longer than a week.
std::optional<uint64_t> parse_seconds(const std::string& text);

// One line of a trace, as text; it may hold untrusted bytes. "": the worker's line says nothing.
std::string shown_trace(const Json& line);

// Returns the exit status: 1 if a worker's trace ended or could not begin.
int trace(const std::string& control_socket, const TraceLine& line, std::ostream& out, std::ostream& errors,
          bool as_json);

}  // namespace relayd::admin
