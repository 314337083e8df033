// Lists the packets in one direction of a session, for `mqtt-relay trace`: types, sizes, flags, identifiers, reason
// codes, and topics. It never returns a payload, and keeps nothing of CONNECT, where passwords are.
//
// It may join a stream in the middle of a packet, whose rest it skips. The stream has passed the framer, so it is
// well-formed as far as packets' lengths go; nothing else is believed. It keeps at most kHead bytes of a packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

struct ListedPacket {
  PacketType type = PacketType::reserved;
  std::uint32_t size = 0;  // of the whole packet
  std::uint8_t qos = 0;    // of PUBLISH, as are the next two
  bool dup = false, retain = false;
  std::optional<std::uint16_t> id{};     // 2.2.1
  std::optional<std::uint8_t> reason{};  // of several the first (2.4; 3.x: return code)
  std::string topic{};                   // PUBLISH's, or the first filter; empty: none, or it is too long
};

class PacketLister {
 public:
  static constexpr std::size_t kHead = 1024;  // bytes after the fixed header

  // `skip`: bytes of the packet that has begun already.
  explicit PacketLister(Version version, std::uint32_t skip = 0) : version_(version), left_(skip) {}

  // Appends the packets that end in this chunk.
  void feed(Bytes in, std::vector<ListedPacket>& found);

 private:
  std::size_t wanted() const;
  ListedPacket packet() const;

  Version version_;
  std::uint32_t left_;   // bytes of the body that have not come yet
  bool broken_ = false;  // a length was malformed: nothing more is listed
  bool listed_ = false;  // the current packet is to be listed
  FixedHeader header_{};
  std::vector<std::uint8_t> head_;
};

const char* name(PacketType type);  // "PUBLISH"

}  // namespace mqtt
