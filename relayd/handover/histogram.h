// How long something took, as Prometheus counts it: buckets with fixed upper bounds, and the sum.
//
// One process writes, others read. Numbers are independent, as in scoreboard.h: the sum may be one observation ahead.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace relayd {

struct Histogram {
  using Number = std::atomic<uint64_t>;

  // Microseconds, inclusive. From a signature that keyd makes from its cache to a broker that hardly answers.
  static constexpr std::array<uint64_t, 16> kBounds{100,       250,       500,       1'000,     2'500,   5'000,
                                                    10'000,    25'000,    50'000,    100'000,   250'000, 500'000,
                                                    1'000'000, 2'500'000, 5'000'000, 10'000'000};
  static constexpr size_t kBuckets = kBounds.size() + 1;  // the last one has no upper bound

  std::array<Number, kBuckets> buckets;  // observations in each, not cumulative
  Number nanoseconds;                    // the sum of all observations

  void observe(uint64_t taken) {
    const uint64_t microseconds = taken / 1000 + (taken % 1000 != 0);
    const auto bound = std::ranges::lower_bound(kBounds, microseconds);
    add(buckets[static_cast<size_t>(bound - kBounds.begin())], 1);
    add(nanoseconds, taken);
  }
  void add(const Histogram& other) {
    for (size_t i = 0; i < kBuckets; i++) add(buckets[i], other.buckets[i].load(std::memory_order_relaxed));
    add(nanoseconds, other.nanoseconds.load(std::memory_order_relaxed));
  }

 private:
  static void add(Number& number, uint64_t more) {
    number.store(number.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
};

}  // namespace relayd
