// The packets that the relay itself may send: a refusing CONNACK, and 5.0's DISCONNECT.
//
// One table (kRefusals) holds the code for each version; it mirrors the design's. 3.x has no code for most faults of a
// CONNECT, and no DISCONNECT from a server. In these cases the relay closes the connection; an empty Packet says so.
// Nothing here allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "relayd/mqtt/connect.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

// Why a session is refused before it is up; answered by CONNACK.
enum class Refusal : std::uint8_t {
  not_authorized,      // no certificate, revoked, key and certificate differ, refused by the remote
  server_unavailable,  // remote unreachable, silent or with a bad certificate; keyd or local broker down; draining
  server_busy,         // overload, signing queue full
  connection_rate_exceeded,
  client_id_not_valid,
  unsupported_version,
  banned,                     // flapping
  bad_authentication_method,  // 5.0: the device wants AUTH, the server has none
  malformed,
  protocol_error,
  packet_too_large,
  use_another_server,  // draining, and the operator has named another gateway
};

struct RefusalCodes {
  Refusal refusal;
  std::uint8_t v5_0;      // reason code (MQTT section 3.2.2.2)
  std::uint8_t v3;        // return code (MQTT 3.1.1 section 3.2.2.3), 0: none, close without CONNACK
  std::string_view name;  // as in the enum, for logs and metrics
};

inline constexpr std::array<RefusalCodes, 12> kRefusals{{
    {Refusal::not_authorized, 0x87, 5, "not_authorized"},
    {Refusal::server_unavailable, 0x88, 3, "server_unavailable"},
    {Refusal::server_busy, 0x89, 3, "server_busy"},
    {Refusal::connection_rate_exceeded, 0x9F, 3, "connection_rate_exceeded"},
    {Refusal::client_id_not_valid, 0x85, 2, "client_id_not_valid"},
    {Refusal::unsupported_version, 0x84, 1, "unsupported_version"},
    {Refusal::banned, 0x8A, 5, "banned"},
    {Refusal::bad_authentication_method, 0x8C, 0, "bad_authentication_method"},
    {Refusal::malformed, 0x81, 0, "malformed"},
    {Refusal::protocol_error, 0x82, 0, "protocol_error"},
    {Refusal::packet_too_large, 0x95, 0, "packet_too_large"},
    {Refusal::use_another_server, 0x9C, 3, "use_another_server"},
}};

constexpr const RefusalCodes& codes(Refusal refusal) { return kRefusals[static_cast<std::size_t>(refusal)]; }

// Why a session ends after CONNACK; the value is 5.0's reason code (MQTT section 3.14.2.1).
enum class DisconnectReason : std::uint8_t {
  unspecified_error = 0x80,  // the remote is lost
  malformed = 0x81,
  protocol_error = 0x82,
  not_authorized = 0x87,  // the device's certificate has been revoked
  server_busy = 0x89,
  server_shutting_down = 0x8B,  // draining
  keep_alive_timeout = 0x8D,
  session_taken_over = 0x8E,  // by a newer connection with the same client id
  topic_alias_invalid = 0x94,
  packet_too_large = 0x95,
  administrative_action = 0x98,  // closed by the operator
  use_another_server = 0x9C,     // draining, and the operator has named another gateway
};

// One encoded packet, by value. Empty: send nothing, just close.
class Packet {
 public:
  static constexpr std::size_t kCapacity = 2 + 127;  // so that the remaining length is one byte

  Bytes bytes() const { return {bytes_.data(), size_}; }
  bool empty() const { return size_ == 0; }
  void add(std::uint8_t byte) { bytes_[size_++] = byte; }

 private:
  std::array<std::uint8_t, kCapacity> bytes_{};
  std::uint8_t size_ = 0;
};

inline constexpr std::size_t kMaxReason = 96;  // bytes of a Reason String; longer ones are cut at a whole character

// CONNACK with session present 0 (MQTT-3.2.2-6). `reason` becomes 5.0's Reason String; CONNACK and DISCONNECT may carry
// it whatever Request Problem Information says (3.1.2.11.7). It is left out if it is not MQTT UTF-8 or would exceed the
// device's Maximum Packet Size (MQTT-3.2.2-19). If the packet is too large even without it, the result is empty
// (MQTT-3.1.2-24). With use_another_server it is the Server Reference instead (MQTT section 4.11), under the same
// rules.
Packet encode_connack(Version version, Refusal refusal, std::string_view reason = {},
                      std::uint32_t maximum_packet_size = kNoSizeLimit);

// DISCONNECT from the server to the device, 5.0 only; empty in 3.x. Must not precede a successful CONNACK
// (MQTT-3.14.0-1).
Packet encode_disconnect(Version version, DisconnectReason reason_code, std::string_view reason = {},
                         std::uint32_t maximum_packet_size = kNoSizeLimit);

// The answer to a CONNECT that could not be parsed.
Refusal refusal_for(ConnectError error);
Packet encode_connack(const BadConnect& bad);

}  // namespace mqtt
