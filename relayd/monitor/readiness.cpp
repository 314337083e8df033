#include "relayd/monitor/readiness.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace relayd::monitor {

std::string why_not_ready(std::string_view text) {
  const auto status = nlohmann::json::parse(text);
  const auto& workers = status.at("workers");
  const bool serves = std::ranges::any_of(workers, [](const auto& worker) { return worker.at("state") == "serving"; });
  if (!serves) return "no worker accepts devices";
  if (!status.at("listeners").empty() && status.at("paused").size() >= status.at("listeners").size()) return "paused";
  const std::string keyd = status.at("keyd");
  return keyd == "serving" ? "" : "keyd is " + keyd;
}

}  // namespace relayd::monitor
