// Asks the relayd that runs, by its control socket (relayd/supervisor/control.h). Blocks.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "common/config.h"

namespace relayd::admin {

using Json = nlohmann::ordered_json;

// Nobody answers there, or may not be asked by this user.
class Unavailable : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The answer to `request`. Throws Unavailable naming the path, the cause and the remedy; std::runtime_error with
// relayd's own words if it says no.
Json ask(const std::string& socket, const Json& request, common::Milliseconds patience);

}  // namespace relayd::admin
