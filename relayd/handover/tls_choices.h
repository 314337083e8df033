// The TLS settings that a configuration may choose: versions, key exchanges, sizes. They are plain numbers and names,
// so the supervisor can read them without a TLS library in its program.
#pragma once

#include <algorithm>
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

// "SECP256R1" → "secp256r1": the name above that differs at most in case; otherwise `name` itself.
constexpr std::string_view group_written_as(std::string_view name) {
  constexpr auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (const NamedGroup& group : kGroups)
    if (std::ranges::equal(group.name, name, {}, lower, lower)) return group.name;
  return name;
}

// Cipher suites: forward secrecy (ECDHE) and authenticated encryption only. Names of IANA and of OpenSSL, which are the
// same in TLS 1.3; numbers of IANA's registry "TLS Cipher Suites".
struct CipherSuite {
  std::string_view name, openssl;
  uint16_t number;
  bool by_default;
  constexpr bool is_tls13() const { return number >> 8 == 0x13; }  // RFC 8446 appendix B.4
};
// Best first. AES-CCM (RFC 6655, 7251) is for constrained devices: slower here, and CCM_8's tag has 8 bytes only.
inline constexpr std::array<CipherSuite, 14> kCipherSuites{{
    {"TLS_AES_256_GCM_SHA384", "", 0x1302, true},
    {"TLS_AES_128_GCM_SHA256", "", 0x1301, true},
    {"TLS_CHACHA20_POLY1305_SHA256", "", 0x1303, true},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c, true},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b, true},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", 0xc030, true},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", 0xc02f, true},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9, true},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", 0xcca8, true},
    {"TLS_AES_128_CCM_SHA256", "", 0x1304, false},
    {"TLS_AES_128_CCM_8_SHA256", "", 0x1305, false},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM", 0xc0ac, false},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", "ECDHE-ECDSA-AES128-CCM8", 0xc0ae, false},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", "ECDHE-ECDSA-AES256-CCM8", 0xc0af, false},
}};

constexpr bool fits(const CipherSuite& suite, Versions versions) {
  return versions == Versions::tls12_and_13 || suite.is_tls13() == (versions == Versions::tls13);
}

// nullptr if the suite is not supported.
constexpr const CipherSuite* suite_named(std::string_view name) {
  for (const CipherSuite& suite : kCipherSuites)
    if (suite.name == name || (!suite.openssl.empty() && suite.openssl == name)) return &suite;
  return nullptr;
}

// "" if the suite is not supported.
constexpr std::string_view suite_numbered(uint16_t number) {
  for (const CipherSuite& suite : kCipherSuites)
    if (suite.number == number) return suite.name;
  return "";
}

}  // namespace relayd::tls
