// Reads DER (X.690) from the front: views into the caller's bytes, every length checked. Longer forms of a length than
// needed are taken (OpenSSL does), indefinite ones are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace common::der {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kInteger = 0x02, kBits = 0x03, kOctets = 0x04, kOid = 0x06, kSequence = 0x30;
constexpr uint8_t constructed(uint8_t number) { return 0xa0 | number; }  // context-specific

// The content of the item that `in` begins with, and `in` moves behind it. Empty, and `in` stays, if its tag is not
// `tag` or its length leads beyond the end.
inline Bytes take(Bytes& in, uint8_t tag) {
  if (in.size() < 2 || in[0] != tag) return {};
  size_t size = in[1], head = 2;
  if (size >= 0x80) {
    const size_t octets = size & 0x7f;
    if (octets == 0 || octets > 3 || octets > in.size() - head) return {};
    for (size = 0; head < 2 + octets; head++) size = size << 8 | in[head];
  }
  if (size > in.size() - head) return {};
  const Bytes content = in.subspan(head, size);
  in = in.subspan(head + size);
  return content;
}

inline std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace common::der
