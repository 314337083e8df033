// The types that every part of the codec uses: versions, packet types, flaws, sizes.
//
// The codec (relayd/mqtt) covers MQTT 3.1 ("MQIsdp", level 3), 3.1.1 and 5.0. It is pure: bytes in, values out. It has
// no global state, does no I/O, does not log, and includes no header from outside this folder but the standard
// library's. Every view that it returns points into the caller's bytes and lives as long as they do. In comments and in
// texts for the operator, "MQTT section 3.1.2.6" means the 5.0 standard; 3.1.1 and 3.1 are named where they differ.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace mqtt {

using Bytes = std::span<const std::uint8_t>;

enum class Version : std::uint8_t { v3_1 = 3, v3_1_1 = 4, v5_0 = 5 };  // the value is the protocol level (3.1.2.2)

enum class PacketType : std::uint8_t {  // MQTT section 2.1.2; the upper four bits of the first byte
  reserved = 0,
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
  auth = 15,  // 5.0 only; reserved in 3.x
};

inline constexpr std::uint32_t kMaxRemainingLength = 268'435'455;  // four bytes of seven bits (MQTT section 2.1.4)
inline constexpr std::uint32_t kMaxPacketSize = kMaxRemainingLength + 5;  // with the fixed header
inline constexpr std::uint32_t kNoSizeLimit = 0xFFFF'FFFF;                // a peer that set no Maximum Packet Size

// More bytes are needed. Another try is useful only when there are `total` bytes, counted from the same first byte.
struct NeedMore {
  std::uint32_t total = 0;
};

// Why a packet is refused. MQTT 5.0 section 4.13 has two kinds, with reason codes 0x81 and 0x82.
struct Flaw {
  enum class Kind : std::uint8_t { none, malformed, protocol_error };
  Kind kind = Kind::none;
  std::string_view why{};  // static text for the operator, with the section; empty when kind is none

  explicit operator bool() const { return kind != Kind::none; }
};

}  // namespace mqtt
