// Whether this relay can take new devices: what a load balancer asks (GET /readyz).
#pragma once

#include <string>
#include <string_view>

namespace relayd::monitor {

// "", or why not: no worker accepts (it starts, drains or stops), the
// operator has paused every listener, or keyd signs nothing. `status` as for
// metrics_text(). The brokers don't count: if one is away, another relay can't reach it either, and devices get a
// CONNACK that says so.
std::string why_not_ready(std::string_view status);

}  // namespace relayd::monitor
