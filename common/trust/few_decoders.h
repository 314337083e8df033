// Parses a certificate in a third of the time that OpenSSL 3.0 takes. Inside common/trust only.
//
// For each certificate OpenSSL 3.0 searches all 40 decoders of its default provider for those that can decode the
// public key: 70 of 110 µs. Here it searches 5. A library context of this file has one provider, which offers all that
// the default provider offers, by the default provider's own code, but of its decoders only those for the usual kinds
// of public keys. A certificate with another key is parsed again with all decoders, so the result is always d2i_X509's.
// OpenSSL 3.2 and later remember what they found, and get no such context.
#pragma once

#include <cstdint>
#include <span>

#include "common/trust/openssl_ptr.h"

namespace trust {

// Null: `der` is not one certificate, whole and with nothing after it.
Certificate parse_certificate(std::span<const uint8_t> der);

}  // namespace trust
