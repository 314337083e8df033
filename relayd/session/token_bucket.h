// A rate limit: `count` tokens per period, with a burst of one period's worth, or of a part of it.
//
// A token once taken is never returned. Taking more than there are puts the bucket into debt, and the caller waits
// until the debt is paid. The caller supplies the time, in milliseconds of any clock that does not go back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/units.h"

namespace relayd {

class TokenBucket {
 public:
  static constexpr uint64_t kMostAtOnce = 200'000;

  // The burst has 1/`parts` of the period's tokens, but one at least.
  explicit TokenBucket(const common::Rate& rate, uint64_t parts = 1)
      : count_(rate.count),
        period_ns_(static_cast<uint64_t>(rate.per.count()) * kNsPerMs),
        burst_ns_(period_ns_ / std::clamp<uint64_t>(parts, 1, std::max<uint64_t>(count_, 1))) {}

  bool unlimited() const { return count_ == 0; }

  // At most kMostAtOnce: with a period of a day, more would not fit into 64 bits.
  void take(uint64_t tokens, uint64_t now_ms) {
    if (unlimited()) return;
    full_at_ns_ = std::max(full_at_ns_, now_ms * kNsPerMs) + std::min(tokens, kMostAtOnce) * period_ns_ / count_;
  }

  // Milliseconds until there is no debt; 0: go on.
  uint64_t wait(uint64_t now_ms) const {
    const uint64_t without_debt_ns = now_ms * kNsPerMs + burst_ns_;
    return full_at_ns_ <= without_debt_ns ? 0 : (full_at_ns_ - without_debt_ns + kNsPerMs - 1) / kNsPerMs;
  }

  // Like wait(), for callers that need a whole token first.
  uint64_t wait_for_one(uint64_t now_ms) const {
    TokenBucket after = *this;
    after.take(1, now_ms);
    return after.wait(now_ms);
  }

 private:
  static constexpr uint64_t kNsPerMs = 1'000'000;
  uint64_t count_;  // 0: no limit
  uint64_t period_ns_, burst_ns_;
  uint64_t full_at_ns_ = 0;
};

}  // namespace relayd
