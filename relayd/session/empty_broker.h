// The built-in empty local broker: behaves as a broker does when the device is its only client.
//
// A device without a key is admitted and stays local. Unless a real local broker is configured, this one serves it: it
// accepts the device, answers PINGREQ, grants subscriptions and acknowledges each PUBLISH (5.0: 0x10, "no matching
// subscribers"). It stores and delivers nothing, not even to the device itself: no subscriptions, no retained messages,
// no will, no session after the connection (5.0 devices get Session Expiry Interval 0).
//
// It does *not* announce retained messages as unavailable. If it did, it would have to refuse a 5.0 device that
// publishes one or has a retained will, the usual "offline" message (MQTT-3.2.2-13), but a device without a key must be
// admitted. Nobody can ever ask for a retained message here, so dropping it makes no difference.
//
// Sans-I/O: bytes in, bytes out, no clock. The caller handles keep alive and the connection. Payloads are skipped,
// never kept. Memory: kMaxPublishHead at most, and only while a packet's head is split over chunks. Output: at most 5
// bytes for 4 of input, plus CONNACK; the caller bounds `out` by not feeding while the device does not read.
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

// "auto-" and 32 hexadecimal digits, as mosquitto does; unique if `random` is.
AssignedClientId assigned_client_id(std::span<const std::uint8_t, 16> random);

class EmptyBroker {
 public:
  // Bytes after the fixed header of any packet but PUBLISH.
  static constexpr std::uint32_t kMaxBody = 64 * 1024;
  // Bytes of PUBLISH's variable header: topic, packet identifier, property length, properties.
  static constexpr std::uint32_t kMaxPublishHead = 2 + 65535 + 2 + 4 + kMaxBody;

  struct Outcome {
    enum class Kind : std::uint8_t {
      go_on,
      closed,   // the device sent DISCONNECT: close
      refused,  // before CONNACK: send mqtt::encode_connack(refusal, why), close
      failed,   // after CONNACK: send mqtt::encode_disconnect(reason, why), close
    };
    Kind kind = Kind::go_on;
    mqtt::Refusal refusal{};          // of refused
    mqtt::DisconnectReason reason{};  // of failed
    std::string_view why{};           // static text for the operator
  };

  // Keeps no view from `connect`. `max_packet_size` is in bytes; CONNACK announces it to 5.0 devices if it is below the
  // protocol's own limit.
  explicit EmptyBroker(const mqtt::Connect& connect, std::uint32_t max_packet_size = mqtt::kMaxPacketSize);

  // Call once, before feed(). Appends CONNACK to `out`, or refuses and appends nothing. `random` makes the client id of
  // a device that sent an empty one.
  Outcome accept(std::span<const std::uint8_t, 16> random, std::string& out);

  // Takes what the device sent after CONNECT, in any pieces, and appends whole packets to `out`. An outcome other than
  // go_on is final; bytes after it are ignored.
  Outcome feed(mqtt::Bytes in, std::string& out);

 private:
  enum class Phase : std::uint8_t {
    header,   // the fixed header
    head,     // the part of the body that is read
    payload,  // the part of the body that is skipped
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
  std::uint32_t device_maximum_;  // 5.0: the device's Maximum Packet Size, in bytes
  std::uint32_t max_packet_size_;
  Outcome outcome_{};
  Phase phase_ = Phase::header;
  mqtt::FixedHeader header_{};
  std::uint32_t need_ = 0;  // bytes that `head_` must hold before it is read again
  std::uint32_t payload_left_ = 0;
  mqtt::Publish publish_{};  // the PUBLISH in progress, without its topic
  std::string head_;         // the start of the body, if it came in pieces
};

}  // namespace relayd
