// SipHash-2-4: a keyed hash. Without the key, collisions can't be found. Aumasson and Bernstein, "SipHash: a fast
// short-input PRF", 2012.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace relayd {

using SipKey = std::array<uint8_t, 16>;

// The hash of `first` followed by `second`.
uint64_t siphash(const SipKey& key, std::span<const uint8_t> first, std::span<const uint8_t> second = {});

}  // namespace relayd
