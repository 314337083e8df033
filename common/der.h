// Reads DER (X.690) from the front. Returns views into the caller's bytes and checks every length. A length in more
// bytes than needed is accepted, as in OpenSSL; an indefinite length is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace common::der {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kInteger = 0x02, kBits = 0x03, kOctets = 0x04, kOid = 0x06, kSequence = 0x30;
constexpr uint8_t constructed(uint8_t number) { return 0xa0 | number; }  // context-specific

// Returns the content of the first item of `in` and moves `in` past the item. Returns an empty span and leaves `in`
// alone if the item's tag is not `tag` or its length exceeds the input.
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
