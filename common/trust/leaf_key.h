// Whether this product's TLS can use a leaf's key. X509_verify_cert does not check this: it accepts kinds and sizes of
// keys for which this TLS has no signature scheme. Inside common/trust only.
#pragma once

#include <openssl/x509.h>

#include <optional>

#include "common/trust/validator.h"

namespace trust {

// `leaf` is one whose chain is accepted. nullopt: its key can be used.
std::optional<Refusal> unusable_key(X509* leaf);

}  // namespace trust
