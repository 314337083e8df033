/* In internal.c, and there alone, the build gives wc_Sha256Update this function's name. HashRaw calls it
 * with every handshake message whatever the suite's hash is; its other callers there do so with hashes of their own. */
#include "handshake_tap.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include <string.h>

static _Thread_local mqtt_relay_handshake_tap current_tap;
static _Thread_local void* current_context;

void mqtt_relay_tap_handshakes(mqtt_relay_handshake_tap tap, void* context) {
    current_tap = tap;
    current_context = context;
}

int mqtt_relay_tapped_sha256_update(wc_Sha256* hash, const byte* data, word32 size);
int mqtt_relay_tapped_sha256_update(wc_Sha256* hash, const byte* data, word32 size) {
    if (current_tap != NULL)
        current_tap(current_context, hash, data, size);
    return wc_Sha256Update(hash, data, size);
}

/* In internal.c and tls13.c, and there alone, the build gives wc_RNG_GenerateBlock this function's name. A hello's random
 * has 32 bytes; TLS 1.2 may set the last 8 itself (RFC 8446 section 4.1.3). A session id of 32 bytes gets the mark too. */
static _Thread_local const unsigned char* current_mark;

void mqtt_relay_mark_hellos(const unsigned char* mark) { current_mark = mark; }

int mqtt_relay_random(WC_RNG* rng, byte* out, word32 size);
int mqtt_relay_random(WC_RNG* rng, byte* out, word32 size) {
    const int ret = wc_RNG_GenerateBlock(rng, out, size);
    if (ret == 0 && current_mark != NULL && (size == 32 || size == 24))
        memcpy(out, current_mark, 8);
    return ret;
}
