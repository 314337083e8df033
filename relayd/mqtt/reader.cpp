#include "relayd/mqtt/reader.h"

namespace mqtt {
namespace {

// The length in bytes of the multi-byte sequence at `at`; 0 if it is not well-formed. The second byte's range excludes
// overlong forms, surrogates and values above U+10FFFF (RFC 3629 section 4).
std::size_t sequence_length(const unsigned char* at, std::size_t left) {
  const unsigned char lead = at[0];
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  if (length == 0 || left < length || at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((at[i] & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

bool is_mqtt_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    if (bytes[at] == 0) return false;
    const std::size_t length = bytes[at] < 0x80 ? 1 : sequence_length(bytes + at, text.size() - at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

void Reader::fail(const Flaw& flaw) {
  if (!flaw) return;
  if (!flaw_) flaw_ = flaw;
  rest_ = {};
}

Bytes Reader::take(std::size_t count) {
  if (count > rest_.size()) {
    malformed("the packet ends inside a field (MQTT section 4.13.1)");
    return {};
  }
  const Bytes taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::uint8_t Reader::u8() {
  const Bytes b = take(1);
  return b.empty() ? std::uint8_t{0} : b[0];
}

std::uint16_t Reader::u16() {
  const Bytes b = take(2);
  return b.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(b[0] << 8 | b[1]);
}

std::uint32_t Reader::u32() {
  const std::uint32_t high = u16();
  return high << 16 | u16();
}

std::uint32_t Reader::variable_int() {
  std::uint32_t value = 0;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    const std::uint8_t byte = u8();
    value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return ok() ? value : 0;
  }
  malformed("a variable byte integer has more than four bytes (MQTT section 1.5.5)");
  return 0;
}

std::string_view Reader::binary() {
  const Bytes b = take(u16());
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

std::string_view Reader::utf8(std::string_view why_if_not_utf8) {
  const std::string_view text = binary();
  if (is_mqtt_utf8(text)) return text;
  malformed(why_if_not_utf8);
  return {};
}

}  // namespace mqtt
