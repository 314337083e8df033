// Builds MQTT packets byte by byte for tests, without the codec under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace mqtt_test {

using Octets = std::vector<std::uint8_t>;

inline Octets operator+(Octets left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline Octets raw(std::string_view text) { return {text.begin(), text.end()}; }

inline Octets u16(std::size_t value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

inline Octets u32(std::size_t value) { return u16(value >> 16 & 0xFFFF) + u16(value & 0xFFFF); }

inline Octets variable_int(std::size_t value) {
  Octets out;
  for (; value > 127; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
  return out;
}

// Two bytes of length, then the text or binary data.
inline Octets text(std::string_view value) { return u16(value.size()) + raw(value); }

inline Octets packet(unsigned first_byte, const Octets& body) {
  return Octets{static_cast<std::uint8_t>(first_byte)} + variable_int(body.size()) + body;
}

// MQTT 5.0: the property length, then the properties.
inline Octets properties(const Octets& content) { return variable_int(content.size()) + content; }

// A CONNECT; tests may set any part to a wrong value.
struct ConnectBytes {
  unsigned first_byte = 0x10;
  std::string_view name = "MQTT";
  std::uint8_t level = 4;
  std::uint8_t flags = 0x02;  // clean session
  std::size_t keep_alive = 60;
  Octets connect_properties{};  // with their length; 3.x: none
  Octets payload = text("dev1");

  Octets bytes() const {
    return packet(first_byte, text(name) + Octets{level, flags} + u16(keep_alive) + connect_properties + payload);
  }
};

inline ConnectBytes connect_v3_1() { return {.name = "MQIsdp", .level = 3}; }
inline ConnectBytes connect_v3_1_1() { return {}; }
inline ConnectBytes connect_v5_0(const Octets& content = {}) {
  return {.level = 5, .connect_properties = properties(content)};
}

// A copy in a heap block of exactly its size, so that AddressSanitizer sees any read outside it.
class ExactCopy {
 public:
  explicit ExactCopy(std::span<const std::uint8_t> from) : bytes_(new std::uint8_t[from.size()]), size_(from.size()) {
    for (std::size_t i = 0; i < size_; ++i) bytes_[i] = from[i];
  }
  std::span<const std::uint8_t> span() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
};

}  // namespace mqtt_test
