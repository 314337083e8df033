// Whether certificates that were good when their devices came have been revoked since: a reload's CRLs against the
// sessions that are up.
#pragma once

#include "relayd/tls/context.h"

namespace relayd::tls {

class RevocationCheck {
 public:
  // As listener.cacertfile and listener.crlfile; common::ConfigError if they can't be used.
  RevocationCheck(const Pem& trusted, const Pem& revoked);

  // Of the leaf: what the listener checks. Verifies its signature: some 100 µs. An empty chain is not.
  bool revoked(const CertificateChain& chain) const;

 private:
  ContextPtr authorities_;
};

}  // namespace relayd::tls
