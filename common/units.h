// Durations and rates, as they appear in a configuration.
#pragma once

#include <chrono>
#include <cstdint>

namespace common {

using Milliseconds = std::chrono::milliseconds;

// `count` per `per`; a count of 0 means "infinity".
struct Rate {
  uint64_t count = 0;
  Milliseconds per{1000};
  bool operator==(const Rate&) const = default;
};

}  // namespace common
