#include "relayd/tls/certificate.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/hash.h>

#include "common/config.h"

namespace relayd::tls {

std::vector<uint8_t> public_key_of(std::span<const uint8_t> certificate_der) {
  std::vector<uint8_t> der(certificate_der.size());
  auto needed = static_cast<word32>(der.size());
  if (wc_GetSubjectPubKeyInfoDerFromCert(certificate_der.data(), needed, der.data(), &needed) != 0) return {};
  der.resize(needed);
  return der;
}

std::optional<ipc::Spki> spki_of(std::span<const uint8_t> certificate_der) {
  const auto der = public_key_of(certificate_der);
  ipc::Spki spki;
  if (der.empty() || wc_Sha256Hash(der.data(), static_cast<word32>(der.size()), spki.data()) != 0) return std::nullopt;
  return spki;
}

std::vector<uint8_t> first_certificate(std::string_view pem, const std::string& name) {
  std::vector<uint8_t> der(pem.size());
  const int size = wc_CertPemToDer(reinterpret_cast<const byte*>(pem.data()), static_cast<int>(pem.size()), der.data(),
                                   static_cast<int>(der.size()), CERT_TYPE);
  if (size <= 0)
    throw common::ConfigError(name + ": no certificate found; expected PEM text, \"-----BEGIN CERTIFICATE-----\" …");
  der.resize(static_cast<size_t>(size));
  return der;
}

}  // namespace relayd::tls
