// The TLS settings that a configuration may choose: versions, key exchanges, sizes. They are plain numbers and names,
// so the supervisor can read them without a TLS library in its program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace relayd::tls {

enum class Versions : uint8_t { tls12, tls13, tls12_and_13 };

inline constexpr size_t kRecord = 16 * 1024;               // bytes of plaintext, at most (RFC 8446 section 5.1)
inline constexpr size_t kLeastWatermark = kRecord + 1024;  // one record with its overhead

// Key exchanges: their IANA or OpenSSL names, and their numbers (RFC 8446 section 4.2.7).
struct NamedGroup {
  std::string_view name;
  uint16_t number;
};
inline constexpr std::array<NamedGroup, 8> kGroups{{{"X25519MLKEM768", 4588},
                                                    {"X25519", 29},
                                                    {"P-256", 23},
                                                    {"secp256r1", 23},
                                                    {"P-384", 24},
                                                    {"secp384r1", 24},
                                                    {"P-521", 25},
                                                    {"secp521r1", 25}}};
inline constexpr std::string_view kGroupNames =
    "X25519MLKEM768, X25519, P-256 (secp256r1), P-384 (secp384r1), P-521 (secp521r1)";

// Returns 0 if the group is not supported.
constexpr uint16_t group_named(std::string_view name) {
  for (const NamedGroup& group : kGroups)
    if (group.name == name) return group.number;
  return 0;
}

}  // namespace relayd::tls
