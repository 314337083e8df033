#include "relayd/tls/certificate.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <algorithm>

namespace relayd::tls {

std::vector<uint8_t> public_key_of(std::span<const uint8_t> certificate_der) {
  std::vector<uint8_t> der(certificate_der.size());
  auto needed = static_cast<word32>(der.size());
  if (wc_GetSubjectPubKeyInfoDerFromCert(certificate_der.data(), needed, der.data(), &needed) != 0) return {};
  der.resize(needed);
  return der;
}

namespace {

// Whether it is an EC key whose point is written with one coordinate (RFC 5480 section 2.2).
bool is_compressed(std::span<const uint8_t> spki) {
  constexpr uint8_t kAlgorithm[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};  // id-ecPublicKey
  // SEQUENCE { SEQUENCE { algorithm, curve }, BIT STRING { 0 unused bits, point } }: with a point of one coordinate
  // every length is below 128 bytes.
  const size_t bits = spki.size() > 4 ? 4 + size_t{spki[3]} : 0;
  return bits > 0 && bits + 4 <= spki.size() && spki[1] < 0x80 && spki[3] < 0x80 && spki[bits] == 0x03 &&
         std::ranges::equal(spki.subspan(4).first(std::min(spki.size() - 4, sizeof kAlgorithm)), kAlgorithm) &&
         (spki[bits + 3] == 0x02 || spki[bits + 3] == 0x03);
}

struct EccKey {
  EccKey() { wc_ecc_init(&key); }
  ~EccKey() { wc_ecc_free(&key); }
  EccKey(const EccKey&) = delete;
  EccKey& operator=(const EccKey&) = delete;
  ecc_key key;
};

// keyd has the key, not the certificate, and so its public half as it is written by default. Empty: not a key.
std::vector<uint8_t> uncompressed(std::span<const uint8_t> spki) {
  EccKey ecc;
  word32 at = 0;
  if (wc_EccPublicKeyDecode(spki.data(), &at, &ecc.key, static_cast<word32>(spki.size())) != 0) return {};
  std::vector<uint8_t> der(2 * spki.size() + 16);
  const int size = wc_EccPublicKeyToDer(&ecc.key, der.data(), static_cast<word32>(der.size()), 1);
  der.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return der;
}

}  // namespace

std::optional<ipc::Spki> spki_of(std::span<const uint8_t> certificate_der) {
  auto der = public_key_of(certificate_der);
  if (is_compressed(der)) der = uncompressed(der);
  ipc::Spki spki;
  if (der.empty() || wc_Sha256Hash(der.data(), static_cast<word32>(der.size()), spki.data()) != 0) return std::nullopt;
  return spki;
}

std::vector<std::span<const uint8_t>> CertificateChain::certificates() const {
  std::vector<std::span<const uint8_t>> all;
  for (std::span<const uint8_t> rest = der; !rest.empty();) {
    // X.690 section 8.1.3: a tag, and a length in one byte, or in as many bytes as its low seven bits say.
    size_t header = 2, size = rest.size() > 1 ? rest[1] : 0;
    if (size & 0x80) {
      header += size & 0x7f;
      size = 0;
      for (size_t i = 2; i < header && i < rest.size(); i++) size = size << 8 | rest[i];
    }
    const size_t whole = all.empty() ? leaf_size : std::min(header + size, rest.size());
    all.push_back(rest.first(whole));
    rest = rest.subspan(whole);
  }
  return all;
}

}  // namespace relayd::tls
