// A handshake signature, checked with the key of its certificate. A key of the wrong kind, too small, or on another
// curve than the scheme's is refused (RFC 8446 section 4.2.3).
#pragma once

#include "keyd/notary/transcript.h"

namespace keyd {

inline constexpr char kUnchecked[] = "signature can't be checked: out of memory";

// nullptr, or what is wrong, for the audit, after "the server's ". `spki`: DER SubjectPublicKeyInfo.
const char* check_signature(bool tls13, ipc::Scheme scheme, Bytes spki, Bytes message, Bytes signature);

}  // namespace keyd
