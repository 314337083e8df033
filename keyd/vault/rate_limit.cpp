#include "keyd/vault/rate_limit.h"

#include <algorithm>

namespace keyd {

uint32_t RateLimit::take(std::string_view name, const common::Rate& rate, uint64_t now_ns) {
  if (rate.count == 0) return 0;  // no limit
  const uint64_t period_ns = static_cast<uint64_t>(rate.per.count()) * 1'000'000;
  const uint64_t interval_ns = std::max<uint64_t>(1, period_ns / rate.count);
  if (now_ns - swept_ns_ > period_ns) {
    std::erase_if(full_at_, [&](const auto& bucket) { return bucket.second <= now_ns; });
    swept_ns_ = now_ns;
  }
  uint64_t& full_at = full_at_[std::string(name)];
  full_at = std::clamp(full_at, now_ns, now_ns + period_ns);  // a slower rate's debt is an empty bucket at most
  if (full_at + interval_ns - now_ns <= period_ns) {
    full_at += interval_ns;
    return 0;
  }
  return static_cast<uint32_t>((full_at + interval_ns - now_ns - period_ns) / 1'000'000 + 1);
}

}  // namespace keyd
