// What is shown to an operator is made of this: the supervisor's status now, and an earlier one to compare it with.
//
// `now` and `before` are to_json() of the supervisor (relayd/supervisor/status.h). For anything else, the members throw
// nlohmann's exceptions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relayd::overview {

struct View {
  using Json = nlohmann::json;

  const Json& now;
  const Json* before;  // null: there is none
  double seconds;      // from `before` to `now`
  int64_t clock;       // unix seconds, now

  // A total series; with `label` the value of that label only.
  uint64_t total(const char* name, std::string_view label = {}) const;
  // Of these, a second.
  std::optional<double> rate(const char* name, std::string_view label = {}) const;

  // A HistogramSeries' buckets, of all labels together or of one: since `before` if it has grown since then, else since
  // the start.
  struct Times {
    std::vector<uint64_t> buckets;
    uint64_t count = 0;  // since the start
    bool recent = false;
  };
  Times times(std::string_view name, std::string_view label = {}) const;
  std::optional<double> times_rate(std::string_view name, std::string_view label = {}) const;
};

}  // namespace relayd::overview
