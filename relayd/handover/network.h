// A set of addresses: one address, or all that share a prefix.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "relayd/handover/socket_address.h"

namespace relayd {

struct Network {
  std::array<uint8_t, 16> address{};  // as IPv6
  uint8_t prefix = 0;                 // bits of it, 0 to 128

  // "192.0.2.0/24", "2001:db8::/32", or one address without a prefix (RFC 4632 section 3.1). nullopt: neither, or bits
  // beyond the prefix are set.
  static std::optional<Network> parse(std::string_view text);
  // An IPv4 address and the same one in IPv4-mapped form are equal.
  bool contains(const SocketAddress& other) const;
  bool operator==(const Network&) const = default;
};

}  // namespace relayd
