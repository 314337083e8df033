// What a peer's ClientHello offers, in words: for the log when nothing of it can be used.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace relayd::tls {

// `received`: the first bytes of a connection; of the ClientHello what there is of it. "the cipher suites C023 C00A,
// the groups secp256k1, the signature schemes 0201", suites and schemes by their IANA numbers; "" if it is none.
std::string offered_by(std::span<const uint8_t> received);

inline constexpr size_t kKeptOfHello = 1024;  // suites stand in front, and so do groups in most libraries

}  // namespace relayd::tls
