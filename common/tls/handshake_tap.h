/* The handshake messages of a connection as wolfSSL hashes them: the input of the transcript hash (RFC 8446 section
 * 4.4.1), which no public function gives. Only HashRaw in internal.c is tapped. Other hashing, and threads without a
 * tap, pay for one read of a thread-local variable per message. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Gets what is hashed next: a message, or a part of one. `hash` is the connection's wc_Sha256. */
typedef void (*mqtt_relay_handshake_tap)(void* context, const void* hash, const unsigned char* data, size_t size);

/* Sets this thread's tap, until the next call. NULL: none. */
void mqtt_relay_tap_handshakes(mqtt_relay_handshake_tap tap, void* context);

/* Sets this thread's mark, until the next call: the random of each hello that it sends begins with these 8 bytes. NULL:
 * none.
 */
void mqtt_relay_mark_hellos(const unsigned char* mark);

#ifdef __cplusplus
}
#endif
