// relayd's status (relayd/supervisor/status.h) for people.
#pragma once

#include <iosfwd>

#include "common/operator/terminal.h"
#include "relayd/admin/client.h"

namespace relayd::admin {

// Prints the configuration that it serves, its monitor, the sums, and a table of the workers. A number missing in
// `status` is shown as 0.
void show_status(const Json& status, std::ostream& out, const common::Screen& screen);

}  // namespace relayd::admin
