// The packets of a client that only publishes at QoS 0, as MQTT 5.0. Each function appends one whole packet to `out`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "relayd/mqtt/types.h"

namespace mqtt {

// A clean start, without a will. `client_id` and `username` are MQTT UTF-8 of at most 65535 bytes; username empty:
// none.
void append_connect(std::vector<std::uint8_t>& out, std::string_view client_id, std::string_view username,
                    std::uint16_t keep_alive);
// Takes up the session that the broker may have kept, which then never expires, and receives one message of QoS 1 or 2
// at a time: what it does not acknowledge stays there (MQTT sections 3.1.2.4, 3.1.2.11.2, 3.1.2.11.3).
void append_resuming_connect(std::vector<std::uint8_t>& out, std::string_view client_id, std::uint16_t keep_alive);

struct Message {
  std::string_view prefix{}, topic{};     // together at most 65535 bytes
  Bytes properties{}, more_properties{};  // encoded, without their length; allowed in PUBLISH, and without an alias
  Bytes payload{};
  bool retain = false;
};
// Precondition: the packet is within MQTT's limit (kMaxRemainingLength).
void append_publish(std::vector<std::uint8_t>& out, const Message& message);

void append_pingreq(std::vector<std::uint8_t>& out);
// Normal, MQTT section 3.14.2.1. `session_expiry`: in seconds; nullopt: as CONNECT had it (section 3.14.2.2.2).
void append_disconnect(std::vector<std::uint8_t>& out, std::optional<std::uint32_t> session_expiry = {});

void append_length(std::vector<std::uint8_t>& out, std::size_t length);  // MQTT section 1.5.5, at most four bytes

}  // namespace mqtt
