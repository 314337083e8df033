// Turns X509_verify_cert's error into an operator's words: which certificate, what is wrong with it, and how to fix it.
// Also chooses the alert that the peer gets. Inside common/trust only.
#pragma once

#include "common/trust/material.h"

namespace trust {

// Keeps the CRL that made a validation fail: X509_verify_cert drops it before it returns. Must outlive the validation.
class FailedCrl {
 public:
  explicit FailedCrl(X509_STORE_CTX* context);
  X509_CRL* get() const { return crl_.get(); }

 private:
  static int remember(int ok, X509_STORE_CTX* context);
  Crl crl_;
};

// Describes a validation that failed.
Refusal refusal_of(X509_STORE_CTX* context, const FailedCrl& crl, const Material& material, const Policy& policy,
                   int64_t now);

// The same as libssl's ssl_x509err2alert(), so that peers get the alerts of an OpenSSL server.
common::tls::Alert alert_of(int code);

}  // namespace trust
