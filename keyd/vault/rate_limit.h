// Limits how often each name may act: one token bucket per name, which holds one period's worth. The rate may
// change from one call to the next.
//
// A full bucket is equivalent to none, so full ones are dropped. There are never more buckets than actions allowed in
// two periods. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/units.h"

namespace keyd {

class RateLimit {
 public:
  // 0: allowed, and counted. Otherwise the milliseconds until `name` is allowed again.
  uint32_t take(std::string_view name, const common::Rate& rate, uint64_t now_ns);
  size_t buckets() const { return full_at_.size(); }

 private:
  uint64_t swept_ns_ = 0;
  std::unordered_map<std::string, uint64_t> full_at_;  // when the bucket is full again
};

}  // namespace keyd
