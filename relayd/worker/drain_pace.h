// How fast a worker ends its sessions when it drains. Thousands of devices that lose their sessions at once come back
// at once, to a gateway that has others to serve; so they leave over most of shutdown_timeout. The last quarter of it
// is for what is still to be delivered.
#pragma once

#include <algorithm>
#include <cstddef>

#include "common/units.h"

namespace relayd {

inline constexpr common::Milliseconds kDrainTick{50};
inline constexpr size_t kLeastPerTick = 10;  // a few devices need not wait

// The sessions that end in each tick.
constexpr size_t drained_per_tick(size_t sessions, common::Milliseconds shutdown_timeout) {
  const auto ticks = static_cast<size_t>(std::max<int64_t>(shutdown_timeout.count() * 3 / 4 / kDrainTick.count(), 1));
  return std::max((sessions + ticks - 1) / ticks, kLeastPerTick);
}

}  // namespace relayd
