#include "relayd/overview/readiness.h"

#include <algorithm>

namespace relayd::overview {

std::string why_not_ready(const nlohmann::json& status) {
  const auto& workers = status.at("workers");
  const bool serves = std::ranges::any_of(workers, [](const auto& worker) { return worker.at("state") == "serving"; });
  if (!serves) return "no worker accepts devices";
  if (!status.at("listeners").empty() && status.at("paused").size() >= status.at("listeners").size()) return "paused";
  const std::string keyd = status.at("keyd");
  return keyd == "serving" ? "" : "keyd is " + keyd;
}

}  // namespace relayd::overview
