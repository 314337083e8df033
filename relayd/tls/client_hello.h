// Describes what a peer's ClientHello offers, for the log when the listener supports nothing in it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace relayd::tls {

// `received`: the first bytes of a connection; they may hold only part of the ClientHello. Returns text like "the
// cipher suites C023 C00A, the groups secp256k1, the signature schemes 0201", suites and schemes by their IANA numbers;
// "" if it is not a ClientHello.
std::string offered_by(std::span<const uint8_t> received);

inline constexpr size_t kKeptOfHello = 1024;  // suites come early, and so do groups in most libraries

}  // namespace relayd::tls
