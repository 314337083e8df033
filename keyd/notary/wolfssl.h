// The parts of wolfSSL that the notary uses: no private key among them. settings.h must come first, which sorted
// includes would not keep.
#pragma once

#include <wolfssl/wolfcrypt/settings.h>
//
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/rsa.h>
