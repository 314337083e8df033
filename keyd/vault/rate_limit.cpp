#include "keyd/vault/rate_limit.h"

#include <algorithm>

namespace keyd {

RateLimit::RateLimit(const common::Rate& rate)
    : period_ns_(static_cast<uint64_t>(rate.per.count()) * 1'000'000),
      interval_ns_(rate.count == 0 ? 0 : std::max<uint64_t>(1, period_ns_ / rate.count)) {}

uint32_t RateLimit::take(std::string_view name, uint64_t now_ns) {
  if (interval_ns_ == 0) return 0;
  if (now_ns - swept_ns_ > period_ns_) {
    std::erase_if(full_at_, [&](const auto& bucket) { return bucket.second <= now_ns; });
    swept_ns_ = now_ns;
  }
  uint64_t& full_at = full_at_[std::string(name)];
  const uint64_t then = std::max(full_at, now_ns) + interval_ns_;
  if (then - now_ns <= period_ns_) {
    full_at = then;
    return 0;
  }
  return static_cast<uint32_t>((then - now_ns - period_ns_) / 1'000'000 + 1);
}

}  // namespace keyd
