/* What the changed wolfSSL (changes.cmake) asks while it reads records and handshake messages. It includes
 * wolfSSL's internals and is for wolfSSL's own sources only. */
#pragma once

#include <wolfssl/internal.h>
#include "alerts.h"

/* A handshake message may be cut anywhere, in its 4-byte header too (RFC 8446 section 5.1, RFC 5246 section 6.2.1);
 * wolfSSL puts messages together again, but not headers. 1: there is a header, read on. 0: all of this record is used
 * up. Less: an error. */
int mqtt_relay_gather_handshake_header(WOLFSSL* ssl, const byte* input, word32* inOutIdx, word32 totalSz);

/* Bytes that a received record may have: the peer's max_fragment_length (RFC 6066 section 4), not our own bound on what
 * we send, which wolfSSL knows by the same variable; and what encryption adds, once it is on (RFC 8446 section 5.1). */
word32 mqtt_relay_largest_received(const WOLFSSL* ssl);

/* Whether the scheme of a TLS 1.3 CertificateVerify is one for the peer's key: an ECDSA scheme for its curve,
 * rsa_pss_rsae for an rsaEncryption key, rsa_pss_pss for an RSASSA-PSS key (RFC 8446 section 4.2.3). */
int mqtt_relay_scheme_fits_key(const WOLFSSL* ssl, const byte* scheme);

/* Whether the scheme of a TLS 1.2 CertificateVerify, already decoded, is one for the peer's RSA key: rsa_pss_pss for an
 * RSASSA-PSS key, and for no other (RFC 8446 section 4.2.3). */
int mqtt_relay_signature_fits_rsa_key(const WOLFSSL* ssl);

/* Whether one more dummy change_cipher_spec is dropped, which RFC 8446 section 5 demands of any number. Here of 32 at
 * most, as in OpenSSL: they cost the sender nothing. */
int mqtt_relay_drops_change_cipher_spec(WOLFSSL* ssl);

/* Of the cipher suites that a ClientHello offers, ssl->clSuites->suiteSz bytes, keeps there those that we have, each
 * once; or the first of all, if none. Returns how many bytes were offered. The same for signature schemes, of which
 * suites->hashSigAlgoSz bytes are offered. */
word32 mqtt_relay_keep_suites(WOLFSSL* ssl, const byte* offered);
void mqtt_relay_keep_schemes(Suites* suites, const byte* offered);

/* Whether this handshake message asks an open TLS 1.2 connection for a renegotiation; not if it is the fifth alert's
 * worth of trouble. */
int mqtt_relay_declines_renegotiation(WOLFSSL* ssl, byte type);

/* Whether the peer of a TLS 1.3 connection with keys may not have them yet: nothing encrypted has come. */
int mqtt_relay_may_alert_in_plaintext(const WOLFSSL* ssl);

/* The ClientHello announces early data, which we never take. Of what then comes in records that can't be decrypted, or
 * in plaintext ones behind a HelloRetryRequest, 16 KiB are skipped: OpenSSL's bound. True: this record was. */
void mqtt_relay_expect_early_data(WOLFSSL* ssl);
int mqtt_relay_skips_early_data(WOLFSSL* ssl);

#define MQTT_RELAY_PSS_KEY 2 /* peerRsaKeyPresent, which is 1 for other RSA keys */
