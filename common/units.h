// Durations and rates, as configurations give them.
#pragma once

#include <chrono>
#include <cstdint>

namespace common {

using Milliseconds = std::chrono::milliseconds;

// `count` in each `per`; a count of 0 is "infinity".
struct Rate {
  uint64_t count = 0;
  Milliseconds per{1000};
  bool operator==(const Rate&) const = default;
};

}  // namespace common
