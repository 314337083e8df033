// Whether certificates that were good when their devices came have been revoked since: a reload's CRLs against the
// sessions that are up.
#pragma once

#include "relayd/tls/context.h"

namespace relayd::tls {

class RevocationCheck {
 public:
  // As the listener's; common::ConfigError if they can't be used.
  RevocationCheck(const Pem& trusted, const Pem& revoked, const trust::Policy& policy);

  // Whether the listener would refuse it as revoked now. Some 300 µs. An empty chain is not.
  bool revoked(const CertificateChain& chain);

 private:
  trust::Validator validator_;
};

}  // namespace relayd::tls
