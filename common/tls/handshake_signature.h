// The signature in a TLS handshake: its scheme (RFC 8446 section 4.2.3), and what it covers in TLS 1.3 (4.4.3).
//
// Both are defined only here: the vault signs with them, the worker compares them with what wolfSSL wants signed, and
// the notary checks a broker's signature with them. Needs no TLS library.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace common::tls {

// The schemes that this product uses.
enum class Scheme : uint16_t {
  rsa_pkcs1_sha256 = 0x0401,
  rsa_pkcs1_sha384 = 0x0501,
  rsa_pkcs1_sha512 = 0x0601,
  ecdsa_sha256 = 0x0403,
  ecdsa_sha384 = 0x0503,
  ecdsa_sha512 = 0x0603,
  rsa_pss_rsae_sha256 = 0x0804,
  rsa_pss_rsae_sha384 = 0x0805,
  rsa_pss_rsae_sha512 = 0x0806,
  ed25519 = 0x0807,
};
enum class Family : uint8_t { none, rsa_pkcs1, rsa_pss, ecdsa, ed25519 };
enum class KeyType : uint8_t { rsa, p256, p384, p521, ed25519 };

struct SchemeFacts {
  Scheme scheme{};
  const char* name = "?";
  Family family = Family::none;
  size_t hash_size = 0;  // of its SHA-2, in bytes; 0: Ed25519 signs the message itself
  KeyType key{};         // in TLS 1.3; in TLS 1.2 a key on any curve may use any ECDSA scheme
};
inline constexpr SchemeFacts kSchemes[] = {
    {Scheme::rsa_pkcs1_sha256, "rsa_pkcs1_sha256", Family::rsa_pkcs1, 32, KeyType::rsa},
    {Scheme::rsa_pkcs1_sha384, "rsa_pkcs1_sha384", Family::rsa_pkcs1, 48, KeyType::rsa},
    {Scheme::rsa_pkcs1_sha512, "rsa_pkcs1_sha512", Family::rsa_pkcs1, 64, KeyType::rsa},
    {Scheme::ecdsa_sha256, "ecdsa_sha256", Family::ecdsa, 32, KeyType::p256},
    {Scheme::ecdsa_sha384, "ecdsa_sha384", Family::ecdsa, 48, KeyType::p384},
    {Scheme::ecdsa_sha512, "ecdsa_sha512", Family::ecdsa, 64, KeyType::p521},
    {Scheme::rsa_pss_rsae_sha256, "rsa_pss_rsae_sha256", Family::rsa_pss, 32, KeyType::rsa},
    {Scheme::rsa_pss_rsae_sha384, "rsa_pss_rsae_sha384", Family::rsa_pss, 48, KeyType::rsa},
    {Scheme::rsa_pss_rsae_sha512, "rsa_pss_rsae_sha512", Family::rsa_pss, 64, KeyType::rsa},
    {Scheme::ed25519, "ed25519", Family::ed25519, 0, KeyType::ed25519},
};

// Family::none: an unknown scheme.
constexpr SchemeFacts facts_of(Scheme scheme) {
  const auto* found = std::ranges::find(kSchemes, scheme, &SchemeFacts::scheme);
  return found == std::end(kSchemes) ? SchemeFacts{} : *found;
}
constexpr const char* name(Scheme scheme) { return facts_of(scheme).name; }

// Whether a key of this type may sign a handshake with it: never with PKCS#1 v1.5 in TLS 1.3 (RFC 8446 section 4.2.3).
constexpr bool fits(const SchemeFacts& scheme, KeyType key, bool tls13) {
  if (scheme.family == Family::none || (tls13 && scheme.family == Family::rsa_pkcs1)) return false;
  if (tls13 || scheme.family != Family::ecdsa) return key == scheme.key;
  return key == KeyType::p256 || key == KeyType::p384 || key == KeyType::p521;
}

// What the signature in a CertificateVerify covers: 64 spaces, words for the side that signs, a zero byte, the
// transcript hash.
enum class Side : uint8_t { server, client };
class CertificateVerifyContent {
 public:
  static constexpr size_t kMostHash = 48;  // a longer hash would be cut; no cipher suite has one
  constexpr CertificateVerifyContent(Side signer, std::span<const uint8_t> transcript_hash) {
    const std::string_view words = signer == Side::server ? kServer : kClient;
    auto at = std::fill_n(bytes_.begin(), 64, uint8_t{0x20});
    at = std::copy(words.begin(), words.end(), at) + 1;
    at = std::copy_n(transcript_hash.begin(), std::min(transcript_hash.size(), kMostHash), at);
    size_ = static_cast<size_t>(at - bytes_.begin());
  }
  constexpr std::span<const uint8_t> bytes() const { return std::span(bytes_).first(size_); }

 private:
  static constexpr std::string_view kServer = "TLS 1.3, server CertificateVerify",
                                    kClient = "TLS 1.3, client CertificateVerify";
  std::array<uint8_t, 64 + kServer.size() + 1 + kMostHash> bytes_{};
  size_t size_ = 0;
};

}  // namespace common::tls
