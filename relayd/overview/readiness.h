// Whether this relay can take new devices: what a load balancer asks (GET /readyz).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace relayd::overview {

// "", or why not: no worker accepts (it starts, drains or stops), the operator has paused every listener, or keyd signs
// nothing. `status` as View::now. The brokers don't count: if one is away, another relay can't reach it either, and
// devices get a CONNACK that says so.
std::string why_not_ready(const nlohmann::json& status);

}  // namespace relayd::overview
