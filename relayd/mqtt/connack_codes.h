// The codes with which a broker's CONNACK refuses a device: MQTT 5.0's reason codes (section 3.2.2.2) and 3.1.1's
// return codes (its section 3.2.2.3). The two sets don't overlap, so a code is unambiguous without the version.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mqtt {

struct ConnackCode {
  std::string_view code;  // as displayed: "0x87"
  std::string_view name;  // from the standard
  std::uint8_t value = 0;
};

// The last entry stands for every code that is in neither standard.
inline constexpr std::array<ConnackCode, 27> kConnackCodes{{
    {"0x01", "Unacceptable protocol version", 0x01},
    {"0x02", "Identifier rejected", 0x02},
    {"0x03", "Server unavailable", 0x03},
    {"0x04", "Bad user name or password", 0x04},
    {"0x05", "Not authorized", 0x05},
    {"0x80", "Unspecified error", 0x80},
    {"0x81", "Malformed Packet", 0x81},
    {"0x82", "Protocol Error", 0x82},
    {"0x83", "Implementation specific error", 0x83},
    {"0x84", "Unsupported Protocol Version", 0x84},
    {"0x85", "Client Identifier not valid", 0x85},
    {"0x86", "Bad User Name or Password", 0x86},
    {"0x87", "Not authorized", 0x87},
    {"0x88", "Server unavailable", 0x88},
    {"0x89", "Server busy", 0x89},
    {"0x8A", "Banned", 0x8A},
    {"0x8C", "Bad authentication method", 0x8C},
    {"0x90", "Topic Name invalid", 0x90},
    {"0x95", "Packet too large", 0x95},
    {"0x97", "Quota exceeded", 0x97},
    {"0x99", "Payload format invalid", 0x99},
    {"0x9A", "Retain not supported", 0x9A},
    {"0x9B", "QoS not supported", 0x9B},
    {"0x9C", "Use another server", 0x9C},
    {"0x9D", "Server moved", 0x9D},
    {"0x9F", "Connection rate exceeded", 0x9F},
    {"other", "unknown code", 0},
}};

// The code's index in kConnackCodes.
constexpr std::size_t index_of_connack_code(std::uint8_t value) {
  for (std::size_t i = 0; i + 1 < kConnackCodes.size(); i++)
    if (kConnackCodes[i].value == value) return i;
  return kConnackCodes.size() - 1;
}

// Whether the code says that this server can't serve now or points to another one. The other codes are about the
// client.
constexpr bool blames_server(std::uint8_t value) {
  return value == 0x03 || value == 0x88 || value == 0x89 || value == 0x9C || value == 0x9D;
}

}  // namespace mqtt
