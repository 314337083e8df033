// `mqtt-relay explain`: why a device was last refused or closed, in one paragraph, from what relayd remembers
// (relayd/handover/endings.h), from its sessions of now, and from keyd's audit.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "relayd/admin/client.h"

namespace relayd::admin {

struct ExplainLine {
  std::string client_id;
  std::string keyd_config = "/etc/mqtt-relay/keyd.json";  // whose audit is read
};

// What is known of the device. Each part may be missing: null.
struct Known {
  Json ending = {};                // as Control answers
  Json session = {};               // of now, as checked_session() returns it
  Json denial = {};                // the last line of keyd's audit that refused it
  uint64_t devices = 0;            // that relayd remembers at most
  std::string audit_problem = {};  // why the audit could not be read; "": it was
};

// The paragraph; it may hold untrusted bytes.
std::string explanation(const std::string& client_id, const Known& known);
// What mends a cause, which is in the words of relayd's log; "": nothing is known, or there is nothing to mend.
std::string remedy_for(const std::string& why, const std::string& client_id);

// Returns the exit status.
int explain(const std::string& control_socket, const ExplainLine& line, std::ostream& out, bool as_json);

}  // namespace relayd::admin
