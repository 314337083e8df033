#include "relayd/tls/revocation.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

namespace relayd::tls {

RevocationCheck::RevocationCheck(const Pem& trusted, const Pem& revoked)
    : authorities_(make_authorities(trusted, revoked)) {}

bool RevocationCheck::revoked(const CertificateChain& chain) const {
  if (chain.empty()) return false;
  const auto leaf = chain.leaf();
  // The manager takes it by a pointer to what it may write to; it does not (wolfSSL 5.9.2, ssl_crypto.c).
  const int result = wolfSSL_CertManagerCheckCRL(wolfSSL_CTX_GetCertManager(authorities_.get()),
                                                 const_cast<byte*>(leaf.data()), static_cast<int>(leaf.size()));
  return result == CRL_CERT_REVOKED;
}

}  // namespace relayd::tls
