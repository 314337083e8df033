// Decodes the fixed header of an MQTT packet (MQTT section 2.1) byte by byte, so it may be split anywhere.
//
// Like brokers, it accepts overlong remaining lengths (0x80 0x00): the standard forbids a sender to write them but does
// not ask a receiver to refuse them. A fourth length byte with its continuation bit set is malformed.
#pragma once

#include <cstdint>

#include "relayd/mqtt/types.h"

namespace mqtt {

class FixedHeader {
 public:
  enum class Status : std::uint8_t { more, done, malformed };

  // Takes the next byte. After `done` or `malformed`, call reset() before the next packet.
  Status push(std::uint8_t byte) {
    if (taken_++ == 0) {
      first_ = byte;
      return Status::more;
    }
    remaining_ |= static_cast<std::uint32_t>(byte & 0x7F) << (7 * (taken_ - 2));
    if ((byte & 0x80) == 0) return Status::done;
    return taken_ == kMaxSize ? Status::malformed : Status::more;
  }
  void reset() { *this = FixedHeader{}; }

  bool started() const { return taken_ > 0; }
  // Valid once started().
  PacketType type() const { return static_cast<PacketType>(first_ >> 4); }
  std::uint8_t flags() const { return first_ & 0x0F; }
  // Valid after `done`. In bytes: what follows the fixed header, the fixed header, the whole packet.
  std::uint32_t remaining() const { return remaining_; }
  std::uint32_t header_size() const { return taken_; }
  std::uint32_t packet_size() const { return remaining_ + taken_; }

  static constexpr std::uint8_t kMaxSize = 5;

 private:
  std::uint32_t remaining_ = 0;
  std::uint8_t first_ = 0;
  std::uint8_t taken_ = 0;
};

// True if a packet from a device may have these flags (MQTT section 2.1.3, 3.3.1). 3.1 calls them "not used" outside
// PUBLISH and lets resent PUBREL, SUBSCRIBE and UNSUBSCRIBE carry DUP, so there only QoS 3 is wrong.
constexpr bool flags_are_valid(Version version, PacketType type, std::uint8_t flags) {
  const unsigned qos = (flags >> 1) & 3U;
  const bool dup = (flags & 8U) != 0;
  switch (type) {
    case PacketType::publish: return qos != 3 && (qos != 0 || !dup || version == Version::v3_1);
    case PacketType::pubrel:
    case PacketType::subscribe:
    case PacketType::unsubscribe: return flags == 2 || version == Version::v3_1;
    default: return flags == 0 || version == Version::v3_1;
  }
}

}  // namespace mqtt
