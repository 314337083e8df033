// The built-in empty local broker: what a broker does for a device when nobody else is on it.
//
// A device without a key is allowed in and stays local; unless a real local broker is configured, it is
// served here. It is accepted, its PINGREQ answered, its subscriptions granted, its publishes acknowledged
// (5.0: 0x10, "no matching subscribers"). Nothing is stored and nothing is delivered, not even to the device
// itself: no subscriptions, no retained messages, no will, no session after the connection (5.0 is told so:
// Session Expiry Interval 0).
//
// Retained messages are *not* announced as unavailable: then a 5.0 device that publishes one, or whose will
// is retained (the usual "offline" message), would have to be refused (MQTT-3.2.2-13), and a device without a
// key must be let in. A retained message that nobody can ever ask for is the same as none.
//
// Sans-I/O: bytes in, bytes out, no clock. Keep alive and the connection are the caller's. Payloads are
// skipped, never kept. Memory: kMaxPublishHead at most, and only while a packet's head is split over chunks.
// Output: at most 5 bytes for 4 of input, plus CONNACK, so a caller that stops feeding while the device does
// not read bounds `out`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "relayd/mqtt/connect.h"
#include "relayd/mqtt/device_packets.h"
#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/packets.h"
#include "relayd/mqtt/types.h"

namespace relayd {

using AssignedClientId = std::array<char, 37>;  // not terminated

// "auto-" and 32 hexadecimal digits, as mosquitto names clients; unique if `random` is.
AssignedClientId assigned_client_id(std::span<const std::uint8_t, 16> random);

class EmptyBroker {
 public:
  // Bytes behind the fixed header of any packet but PUBLISH.
  static constexpr std::uint32_t kMaxBody = 64 * 1024;
  // Bytes of PUBLISH's variable header: topic, packet identifier, property length, properties.
  static constexpr std::uint32_t kMaxPublishHead = 2 + 65535 + 2 + 4 + kMaxBody;

  struct Outcome {
    enum class Kind : std::uint8_t {
      go_on,
      closed,   // the device said DISCONNECT: close
      refused,  // before CONNACK: send mqtt::encode_connack(refusal, why), close
      failed,   // after CONNACK: send mqtt::encode_disconnect(reason, why), close
    };
    Kind kind = Kind::go_on;
    mqtt::Refusal refusal{};          // of refused
    mqtt::DisconnectReason reason{};  // of failed
    std::string_view why{};           // static text for the operator
  };

  // Keeps nothing of `connect` that is a view. `max_packet_size` in bytes, announced to 5.0 devices if below
  // the protocol's own.
  explicit EmptyBroker(const mqtt::Connect& connect, std::uint32_t max_packet_size = mqtt::kMaxPacketSize);

  // Once, before feed(): appends CONNACK to `out`, or refuses and appends nothing. `random` is used for an
  // empty client id.
  Outcome accept(std::span<const std::uint8_t, 16> random, std::string& out);

  // Takes what the device sent behind CONNECT, in any pieces, and appends whole packets to `out`. An outcome
  // other than go_on stays; the bytes behind it are not looked at.
  Outcome feed(mqtt::Bytes in, std::string& out);

 private:
  enum class Phase : std::uint8_t {
    header,   // the fixed header
    head,     // the part of the body that has to be read
    payload,  // the part that is skipped
  };

  void refuse(mqtt::Refusal refusal, std::string_view why);
  void fail(mqtt::DisconnectReason reason, std::string_view why);
  void fail(const mqtt::Flaw& flaw);
  bool v5() const { return version_ == mqtt::Version::v5_0; }

  mqtt::Bytes take_header(mqtt::Bytes in, std::string& out);
  mqtt::Bytes take_head(mqtt::Bytes in, std::string& out);
  mqtt::Bytes skip_payload(mqtt::Bytes in, std::string& out);
  void check_header();
  std::optional<std::uint32_t> read_head(mqtt::Bytes body, std::string& out);
  void end_packet(std::string& out);

  bool read_publish(mqtt::Bytes body);
  void answer_whole(mqtt::Bytes body, std::string& out);
  void answer_filters(mqtt::FilterReader::Of packet, mqtt::Bytes body, std::string& out);
  void answer_acknowledgement(mqtt::Bytes body, std::string& out);
  void take_disconnect(mqtt::Bytes body);
  bool begin_packet(std::uint8_t first_byte, std::uint32_t remaining, std::string& out);
  void acknowledge(mqtt::PacketType type, std::uint16_t packet_id, std::uint8_t reason, std::string& out);

  mqtt::Version version_;
  bool clean_start_;
  bool empty_client_id_;
  bool wants_authentication_;
  bool asked_for_expiry_;         // a Session Expiry Interval other than 0
  std::uint32_t device_maximum_;  // 5.0: bytes of the largest packet that the device takes
  std::uint32_t max_packet_size_;
  Outcome outcome_{};
  Phase phase_ = Phase::header;
  mqtt::FixedHeader header_{};
  std::uint32_t need_ = 0;  // bytes that `head_` must have before it is read again
  std::uint32_t payload_left_ = 0;
  mqtt::Publish publish_{};  // whose payload is going by, without its topic
  std::string head_;         // the body's beginning, if it came in pieces
};

}  // namespace relayd
