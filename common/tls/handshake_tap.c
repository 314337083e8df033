/* In internal.c, and there alone, the build gives wc_Sha256Update this function's name. HashRaw calls it
 * with every handshake message whatever the suite's hash is; its other callers there do so with hashes of their own. */
#include "handshake_tap.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/sha256.h>

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
