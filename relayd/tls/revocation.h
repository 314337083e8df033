// Checks whether a reload's CRLs revoke the certificates of devices whose sessions are up.
#pragma once

#include "relayd/tls/context.h"

namespace relayd::tls {

class RevocationCheck {
 public:
  // The listener's CAs, CRLs and policy. Throws common::ConfigError if they can't be used.
  RevocationCheck(const Pem& trusted, const Pem& revoked, const trust::Policy& policy);

  // True if the listener would now refuse the chain as revoked; false for an empty chain. Takes about 300 µs.
  bool revoked(const CertificateChain& chain);

 private:
  trust::Validator validator_;
};

}  // namespace relayd::tls
