#include "relayd/handover/siphash.h"

#include <bit>
#include <cstddef>

namespace relayd {
namespace {

struct Sip {
  uint64_t v0, v1, v2, v3;
  void round() {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  }
  void word(uint64_t m) {
    v3 ^= m;
    round(), round();
    v0 ^= m;
  }
};

uint64_t little_endian(const uint8_t* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

uint64_t siphash(const SipKey& key, std::span<const uint8_t> first, std::span<const uint8_t> second) {
  const uint64_t k0 = little_endian(key.data()), k1 = little_endian(key.data() + 8);
  Sip sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
  uint64_t word = 0;
  size_t size = 0;
  for (const auto part : {first, second})
    for (const uint8_t byte : part) {
      word |= uint64_t{byte} << 8 * (size % 8);
      if (++size % 8 != 0) continue;
      sip.word(word);
      word = 0;
    }
  sip.word(word | uint64_t{size & 0xFF} << 56);
  sip.v2 ^= 0xFF;
  for (int i = 0; i < 4; i++) sip.round();
  return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

}  // namespace relayd
