// Parses in full the packets that a device sends after CONNECT, for a broker that answers them itself.
//
// Each function takes the packet's body (the bytes after the fixed header); flags_are_valid() checks the fixed header's
// flags. Nothing here allocates or keeps state between packets.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "relayd/mqtt/reader.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

struct Publish {
  std::string_view topic{};          // empty only if there is a topic alias
  std::uint16_t topic_alias = 0;     // 5.0; 0: none
  std::uint32_t topic_alias_at = 0;  // where this property of three bytes begins in the body
  std::uint32_t properties_at = 0;   // 5.0: where the properties begin in the body; they end at payload_at
  std::uint8_t qos = 0;              // 0 to 2
  bool retain = false;
  bool dup = false;
  std::uint16_t packet_id = 0;   // 0 with QoS 0
  std::uint32_t payload_at = 0;  // bytes of the body before the payload
};

using PublishResult = std::variant<NeedMore, Flaw, Publish>;

// Parses PUBLISH (MQTT section 3.3) up to its payload, which is never read. `body` is the part of the body received so
// far, from its first byte on; `flags` are valid; `remaining` is the remaining length. NeedMore::total never goes
// beyond the payload's first byte.
PublishResult parse_publish(Version version, std::uint8_t flags, Bytes body, std::uint32_t remaining);

struct Subscription {
  std::string_view filter{};
  std::uint8_t qos = 0;  // requested, 0 to 2; UNSUBSCRIBE: 0
};

// Returns the filters of a complete SUBSCRIBE (MQTT section 3.8) or UNSUBSCRIBE (3.10) one by one.
class FilterReader {
 public:
  enum class Of : std::uint8_t { subscribe, unsubscribe };

  FilterReader(Version version, Of packet, Bytes body);

  bool next(Subscription& out);  // false at the end and at a flaw
  std::uint16_t packet_id() const { return packet_id_; }
  const Flaw& flaw() const { return body_.flaw(); }

 private:
  void read_options(Subscription& out);

  Reader body_;
  std::uint16_t packet_id_ = 0;
  Version version_;
  Of packet_;
};

struct Acknowledgement {
  std::uint16_t packet_id = 0;
  std::uint8_t reason = 0;  // 5.0; 0x80 and above: refused
};

// Reads a complete PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT section 3.4 to 3.7). Check body.flaw() afterwards.
Acknowledgement read_acknowledgement(Version version, Reader& body);

struct Disconnect {
  std::uint8_t reason = 0;  // 5.0; 0: normal, without sending the will
  std::optional<std::uint32_t> session_expiry_interval{};
};

// Reads a complete DISCONNECT (MQTT section 3.14). Check body.flaw() afterwards.
Disconnect read_disconnect(Version version, Reader& body);

}  // namespace mqtt
