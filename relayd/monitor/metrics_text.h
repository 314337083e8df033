// The page of /metrics: the supervisor's status as Prometheus's text format 0.0.4, or as OpenMetrics 1.0.
//
// Totals include the worker processes that have ended, so they never go back. Current numbers are given per worker.
#pragma once

#include <string>
#include <string_view>

#include "relayd/monitor/metrics_page.h"

namespace relayd::monitor {

// `status` is to_json() of the supervisor (relayd/supervisor/status.h). For anything else, throws nlohmann's
// exceptions.
std::string metrics_text(std::string_view status, Format format);

}  // namespace relayd::monitor
