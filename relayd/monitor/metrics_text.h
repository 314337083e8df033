// The page of /metrics: the supervisor's status as Prometheus's text format 0.0.4.
//
// Totals count all worker processes there have been, so they never go back. Numbers of now are given for each worker.
#pragma once

#include <string>
#include <string_view>

namespace relayd::monitor {

// `status` is to_json() of the supervisor (relayd/supervisor/status.h). Throws what nlohmann's library throws if it is
// anything else.
std::string metrics_text(std::string_view status);

}  // namespace relayd::monitor
