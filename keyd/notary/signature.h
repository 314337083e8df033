// A server's handshake signature, checked with the key of its certificate. A key of the wrong kind, too small, or on
// another curve than the scheme's is refused (RFC 8446 section 4.2.3).
#pragma once

#include "keyd/notary/transcript.h"

namespace keyd {

// nullptr, or what is wrong, for the audit. `spki`: DER SubjectPublicKeyInfo.
const char* check_signature(bool tls13, ipc::Scheme scheme, Bytes spki, Bytes message, Bytes signature);

}  // namespace keyd
