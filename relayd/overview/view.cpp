#include "relayd/overview/view.h"

#include <numeric>

#include "relayd/handover/histogram.h"

namespace relayd::overview {
namespace {

using Json = View::Json;

uint64_t total_in(const Json& status, const char* name, std::string_view label) {
  const Json& value = status.at("total").at(name);
  if (!value.is_object()) return value.get<uint64_t>();
  if (!label.empty()) return value.at(std::string(label)).get<uint64_t>();
  uint64_t sum = 0;
  for (const Json& part : value) sum += part.get<uint64_t>();
  return sum;
}

std::vector<uint64_t> buckets_in(const Json& status, std::string_view name, std::string_view label) {
  std::vector<uint64_t> sum(Histogram::kBuckets);
  for (const Json& one : status.at("histograms")) {
    if (one.at("name") != name || (!label.empty() && one.at("value") != label)) continue;
    for (size_t i = 0; i < sum.size(); i++) sum[i] += one.at("buckets").at(i).get<uint64_t>();
  }
  return sum;
}

uint64_t count_of(const std::vector<uint64_t>& buckets) {
  return std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
}

}  // namespace

uint64_t View::total(const char* name, std::string_view label) const { return total_in(now, name, label); }

std::optional<double> View::rate(const char* name, std::string_view label) const {
  if (!before) return std::nullopt;
  const uint64_t later = total(name, label), earlier = total_in(*before, name, label);
  return later < earlier ? 0 : static_cast<double>(later - earlier) / seconds;
}

View::Times View::times(std::string_view name, std::string_view label) const {
  Times times{buckets_in(now, name, label)};
  times.count = count_of(times.buckets);
  if (!before) return times;
  auto grown = times.buckets;
  const auto earlier = buckets_in(*before, name, label);
  for (size_t i = 0; i < grown.size(); i++) grown[i] -= std::min(grown[i], earlier[i]);
  if (count_of(grown) == 0) return times;
  times.buckets = std::move(grown);
  times.recent = true;
  return times;
}

std::optional<double> View::times_rate(std::string_view name, std::string_view label) const {
  if (!before) return std::nullopt;
  const uint64_t later = count_of(buckets_in(now, name, label)), earlier = count_of(buckets_in(*before, name, label));
  return later < earlier ? 0 : static_cast<double>(later - earlier) / seconds;
}

}  // namespace relayd::overview
