/* What the changed wolfSSL (changes.cmake) asks while it reads records and handshake messages. Includes its internals:
 * for wolfSSL's own sources only. */
#pragma once

#include "alerts.h"
#include <wolfssl/internal.h>

/* A handshake message may be cut anywhere, in its 4-byte header too (RFC 8446 section 5.1, RFC 5246 section 6.2.1);
 * wolfSSL puts messages together again, but not headers. 1: there is a header, read on. 0: all of this record is used
 * up. Less: an error. */
int mqtt_relay_gather_handshake_header(WOLFSSL* ssl, const byte* input, word32* inOutIdx, word32 totalSz);

/* Bytes that a received record may have: the peer's max_fragment_length (RFC 6066 section 4), not our own bound on what
 * we send, which wolfSSL knows by the same variable. */
word32 mqtt_relay_largest_received(const WOLFSSL* ssl);

/* Whether the scheme of a TLS 1.3 CertificateVerify is one for the peer's key: an ECDSA scheme for its curve, rsa_pss_rsae
 * for an rsaEncryption key, rsa_pss_pss for an RSASSA-PSS key (RFC 8446 section 4.2.3). */
int mqtt_relay_scheme_fits_key(const WOLFSSL* ssl, const byte* scheme);

/* Whether the scheme of a TLS 1.2 CertificateVerify, already decoded, is one for the peer's RSA key: rsa_pss_pss for an
 * RSASSA-PSS key, and for no other (RFC 8446 section 4.2.3). */
int mqtt_relay_signature_fits_rsa_key(const WOLFSSL* ssl);

/* Whether one more dummy change_cipher_spec is dropped, which RFC 8446 section 5 demands of any number. Here of 32 at most,
 * as in OpenSSL: they cost the sender nothing. */
int mqtt_relay_drops_change_cipher_spec(WOLFSSL* ssl);

/* Whether a ClientHello, without its header, has TLS_FALLBACK_SCSV among its cipher suites (RFC 7507 section 2). */
int mqtt_relay_has_fallen_back(const byte* hello, word32 size);

#define MQTT_RELAY_PSS_KEY 2 /* peerRsaKeyPresent, which is 1 for other RSA keys */
