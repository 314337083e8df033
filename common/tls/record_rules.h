/* Called by the changed wolfSSL (changes.cmake) while it reads records and handshake messages. Includes wolfSSL's
 * internals and is for wolfSSL's own sources only. */
#pragma once

#include <wolfssl/internal.h>
#include "alerts.h"

/* Records may split a handshake message anywhere, even inside its 4-byte header (RFC 8446 section 5.1, RFC 5246 section
 * 6.2.1); wolfSSL reassembles messages, but not headers. Returns 1 if the header is complete, 0 if the record is used
 * up, or a negative error. */
int mqtt_relay_gather_handshake_header(WOLFSSL* ssl, const byte* input, word32* inOutIdx, word32 totalSz);

/* The most bytes that a received record may have: the peer's max_fragment_length (RFC 6066 section 4), plus what
 * encryption adds once it is on (RFC 8446 section 5.1). Our own bound on sent records, which wolfSSL keeps in the same
 * variable, does not count. */
word32 mqtt_relay_largest_received(const WOLFSSL* ssl);

/* Whether the scheme of a TLS 1.3 CertificateVerify fits the peer's key: an ECDSA scheme for its curve, rsa_pss_rsae
 * for an rsaEncryption key, rsa_pss_pss for an RSASSA-PSS key (RFC 8446 section 4.2.3). */
int mqtt_relay_scheme_fits_key(const WOLFSSL* ssl, const byte* scheme);

/* Whether the scheme of a TLS 1.2 CertificateVerify, already decoded, fits the peer's RSA key: rsa_pss_pss fits an
 * RSASSA-PSS key, and no other (RFC 8446 section 4.2.3). */
int mqtt_relay_signature_fits_rsa_key(const WOLFSSL* ssl);

/* Whether one more dummy change_cipher_spec is dropped. RFC 8446 section 5 sets no limit; here it is 32, as in OpenSSL,
 * because they cost the sender nothing. */
int mqtt_relay_drops_change_cipher_spec(WOLFSSL* ssl);

/* Keeps in ssl->clSuites the cipher suites that a ClientHello offers and we have, each once; if we have none of them,
 * keeps the first. ssl->clSuites->suiteSz bytes are offered, which is also the return value. mqtt_relay_keep_schemes
 * does the same for suites->hashSigAlgoSz bytes of signature schemes. */
word32 mqtt_relay_keep_suites(WOLFSSL* ssl, const byte* offered);
void mqtt_relay_keep_schemes(Suites* suites, const byte* offered);

/* Whether a TLS 1.2 server may use this group: it is one of its own (wolfSSL_CTX_set_groups). wolfSSL asks only in TLS
 * 1.3; in TLS 1.2 it would take any group that it is built with. */
int mqtt_relay_allows_group(const WOLFSSL* ssl, word16 group);

/* Whether this handshake message asks an open TLS 1.2 connection to renegotiate; false once the limit on alerts is
 * reached. */
int mqtt_relay_declines_renegotiation(WOLFSSL* ssl, byte type);

/* Whether the peer of a TLS 1.3 connection with keys may not have them yet: nothing encrypted has come. */
int mqtt_relay_may_alert_in_plaintext(const WOLFSSL* ssl);

/* Call the first one if the ClientHello announces early data, which we never accept. The second one then returns true
 * for each record to skip: up to 16 KiB (OpenSSL's bound) in records that can't be decrypted, or in plaintext records
 * after a HelloRetryRequest. */
void mqtt_relay_expect_early_data(WOLFSSL* ssl);
int mqtt_relay_skips_early_data(WOLFSSL* ssl);

#define MQTT_RELAY_PSS_KEY 2 /* peerRsaKeyPresent, which is 1 for other RSA keys */
