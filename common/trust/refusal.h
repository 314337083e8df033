// X509_verify_cert's error in an operator's words: which certificate, what is wrong with it, what mends it; and the
// alert that the peer gets. Inside common/trust only.
#pragma once

#include "common/trust/material.h"

namespace trust {

// Keeps the CRL that a validation fails for: X509_verify_cert forgets it before it returns. Must outlive the
// validation.
class FailedCrl {
 public:
  explicit FailedCrl(X509_STORE_CTX* context);
  X509_CRL* get() const { return crl_.get(); }

 private:
  static int remember(int ok, X509_STORE_CTX* context);
  Crl crl_;
};

// Of a validation that has failed.
Refusal refusal_of(X509_STORE_CTX* context, const FailedCrl& crl, const Material& material, const Policy& policy,
                   int64_t now);

// As libssl's ssl_x509err2alert(): what peers of an OpenSSL server get.
uint8_t alert_of(int code);

}  // namespace trust
