// A bounded cursor over one packet's bytes, and the data types of MQTT section 1.5.
//
// The first flaw sticks: from then on every read returns zero or nothing, left() is 0, and flaw() describes the flaw.
// So a parser can read straight through and check once at the end. The reader never reads past its span.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "relayd/mqtt/types.h"

namespace mqtt {

// MQTT section 1.5.4: well-formed UTF-8 (RFC 3629: nothing overlong, no surrogates, at most U+10FFFF) without
// U+0000. Control characters and non-characters are allowed, because the standard only advises against them: escape the
// text before printing it.
bool is_mqtt_utf8(std::string_view text);

class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  std::uint8_t u8();
  std::uint16_t u16();                                      // big endian
  std::uint32_t u32();                                      // big endian
  std::uint32_t variable_int();                             // MQTT section 1.5.5, at most four bytes
  Bytes take(std::size_t count);                            // exactly `count` bytes
  std::string_view binary();                                // two-byte length, then bytes (MQTT section 1.5.6)
  std::string_view utf8(std::string_view why_if_not_utf8);  // two-byte length, then text (MQTT section 1.5.4)

  std::size_t left() const { return rest_.size(); }
  bool ok() const { return !flaw_; }
  const Flaw& flaw() const { return flaw_; }
  void malformed(std::string_view why) { fail({Flaw::Kind::malformed, why}); }
  void protocol_error(std::string_view why) { fail({Flaw::Kind::protocol_error, why}); }
  void fail(const Flaw& flaw);  // keeps the first one; a flaw of kind none changes nothing

 private:
  Bytes rest_;
  Flaw flaw_;
};

}  // namespace mqtt
