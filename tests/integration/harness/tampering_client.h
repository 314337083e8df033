// A TLS client (OpenSSL) that drops its CertificateVerify and sends the rest of its handshake, including its Finished.
// In TLS 1.3 its flight is decrypted, shortened and encrypted again.
#pragma once

#include "tests/integration/harness/tls_stream.h"

namespace harness {

// Returns the alert with which the server answers; -1: the server closed without an alert; 0: the handshake succeeded.
int handshake_without_certificate_verify(const Endpoint& to, const Identity& identity, TlsVersion version,
                                         Deadline deadline = patience());

}  // namespace harness
