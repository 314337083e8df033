// A TLS client (OpenSSL) whose CertificateVerify never leaves: everything else of its handshake does, its Finished too.
// In TLS 1.3 its flight is decrypted, shortened and encrypted again.
#pragma once

#include "tests/integration/harness/tls_stream.h"

namespace harness {

// The alert that the server answers with; -1: it ended without one; 0: the handshake succeeded.
int handshake_without_certificate_verify(const Endpoint& to, const Identity& identity, TlsVersion version,
                                         Deadline deadline = patience());

}  // namespace harness
