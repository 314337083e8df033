// What a relay must know of a 5.0 broker's CONNACK: the keep alive that the broker wants (MQTT section 3.2.2.3.14), and
// the reason that it gives (3.2.2.3.9).
//
// Looks at the broker's bytes as they pass, in any pieces, and keeps no more than kMostReason of them: every other
// property is skipped. AUTH packets in front of CONNACK are passed over. It does not judge: a CONNACK that it can't
// follow has no keep alive, and what is wrong with it is the device's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/types.h"

namespace mqtt {

class ConnackReader {
 public:
  // The broker's bytes, from the first one on.
  void feed(Bytes in);
  // CONNACK is over, or can't be followed: nothing more is looked at.
  bool done() const { return expects_ == Expects::nothing; }
  // Seconds; 0: no limit. nullopt: the broker leaves it at the device's.
  std::optional<std::uint16_t> server_keep_alive() const { return server_keep_alive_; }

  // The Reason String, for the operator; "" if there is none. Untrusted: any bytes; cut at kMostReason.
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
  std::uint32_t left_ = 0;   // bytes of what is expected
  std::uint32_t value_ = 0;  // of the bytes of it that have come
  std::uint8_t texts_ = 0;   // still to come in this property
  bool is_keep_alive_ = false, is_reason_ = false;
  std::string reason_{};
  std::optional<std::uint16_t> server_keep_alive_{};
};

}  // namespace mqtt
