#include "relayd/handover/network.h"

#include <charconv>
#include <string>

namespace relayd {
namespace {

// The bits of byte `at` that belong to the prefix.
uint8_t mask(unsigned prefix, size_t at) {
  const unsigned before = static_cast<unsigned>(at) * 8;
  if (prefix >= before + 8) return 0xff;
  return static_cast<uint8_t>(prefix <= before ? 0 : 0xff00 >> (prefix - before));
}

}  // namespace

std::optional<Network> Network::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto host = SocketAddress::parse(std::string(text.substr(0, slash)), 0);
  if (!host) return std::nullopt;
  const unsigned longest = host->family() == AF_INET ? 32 : 128;
  unsigned prefix = longest;
  if (slash != std::string_view::npos) {
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + slash + 1, end, prefix);
    if (read.ptr != end || read.ec != std::errc() || prefix > longest) return std::nullopt;
  }
  const Network network{host->in_ipv6(), static_cast<uint8_t>(prefix + 128 - longest)};
  for (size_t i = 0; i < network.address.size(); i++)
    if (network.address[i] & ~mask(network.prefix, i)) return std::nullopt;
  return network;
}

bool Network::contains(const SocketAddress& other) const {
  const auto bytes = other.in_ipv6();
  for (size_t i = 0; i < bytes.size(); i++)
    if ((bytes[i] ^ address[i]) & mask(prefix, i)) return false;
  return true;
}

}  // namespace relayd
