// The parts of wolfCrypt that keyd and the worker use. wolfSSL's settings.h must come first, which sorted includes
// would not keep.
#pragma once

#include <wolfssl/wolfcrypt/settings.h>
//
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/memory.h>
#include <wolfssl/wolfcrypt/pwdbased.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/wc_port.h>

namespace common::tls {

// wolfCrypt's name for the SHA-2 with a hash of `size` bytes.
constexpr wc_HashType hash_type(size_t size) {
  return size == 32   ? WC_HASH_TYPE_SHA256
         : size == 48 ? WC_HASH_TYPE_SHA384
         : size == 64 ? WC_HASH_TYPE_SHA512
                      : WC_HASH_TYPE_NONE;
}

}  // namespace common::tls
