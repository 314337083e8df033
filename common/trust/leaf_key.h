// Whether TLS can use a leaf's key here. X509_verify_cert does not ask: it accepts kinds and sizes of keys for which
// there is no signature scheme in this product's TLS. Inside common/trust only.
#pragma once

#include <openssl/x509.h>

#include <optional>

#include "common/trust/validator.h"

namespace trust {

// Of a leaf whose chain is accepted; nullopt: its key can be used.
std::optional<Refusal> unusable_key(X509* leaf);

}  // namespace trust
