// mosquitto's command-line clients as devices.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/harness/address.h"
#include "tests/integration/harness/pki.h"

namespace harness {

// The command line of mosquitto_pub or mosquitto_sub. `more`: topics and other options.
std::vector<std::string> mosquitto_client(const std::string& program, const Endpoint& door, const Identity& identity,
                                          const std::string& client_id, const std::vector<std::string>& more);

}  // namespace harness
