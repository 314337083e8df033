// Reads some properties of a 5.0 broker's CONNACK: Server Keep Alive (MQTT section 3.2.2.3.14), Retain Available
// (3.2.2.3.5), Maximum Packet Size (3.2.2.3.6) and Reason String (3.2.2.3.9); and the two bytes before them, of any
// version.
//
// Watches the broker's bytes as they pass, in any pieces, and keeps at most kMostReason of them. Skips every other
// property, and AUTH packets before CONNACK. It does not judge: a CONNACK that it can't follow counts as one without a
// keep alive, and the device decides what to do about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

class ConnackReader {
 public:
  // Takes the broker's bytes, from the first one on.
  void feed(Bytes in);
  // CONNACK is complete, or can't be followed; further bytes are ignored.
  bool done() const { return expects_ == Expects::nothing; }
  // The reason code (3.x: return code); nullopt: there is none yet, or what came is no CONNACK. 0: success.
  std::optional<std::uint8_t> code() const { return code_; }
  bool session_present() const { return session_present_; }  // MQTT section 3.2.2.1.1
  // Seconds; 0: no limit. nullopt: the device's own value applies.
  std::optional<std::uint16_t> server_keep_alive() const { return server_keep_alive_; }

  bool retain_available() const { return retain_available_; }
  // Bytes of the largest packet that the broker accepts.
  std::uint32_t maximum_packet_size() const { return maximum_packet_size_; }

  // The Reason String, for the operator; "" if absent. Untrusted: any bytes, cut at kMostReason.
  static constexpr std::size_t kMostReason = 200;
  const std::string& reason() const { return reason_; }

 private:
  enum class Expects : std::uint8_t {
    header,
    other_packet,
    flags_and_code,
    properties_length,
    property,
    number,
    text,
    nothing
  };

  void take(std::uint8_t byte);
  void take_header(std::uint8_t byte);
  void begin_property(std::uint8_t id);
  void end_property();
  void expect(Expects what, std::uint32_t bytes);

  FixedHeader header_{};
  Expects expects_ = Expects::header;
  std::uint32_t left_in_packet_ = 0;
  std::uint32_t left_ = 0;     // bytes still missing from the expected item
  std::uint32_t value_ = 0;    // the number that its bytes so far make
  std::uint8_t texts_ = 0;     // strings still to come in this property
  std::uint8_t property_ = 0;  // its identifier
  std::string reason_{};
  std::optional<std::uint8_t> code_{};
  std::optional<std::uint16_t> server_keep_alive_{};
  std::uint32_t maximum_packet_size_ = kNoSizeLimit;
  bool retain_available_ = true;
  bool session_present_ = false;
};

}  // namespace mqtt
