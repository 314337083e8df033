/* The only door into wolfSSL's internals: for what its public API does not offer. Valid for the pinned release only,
 * which wolf_shim.c asserts. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct WOLFSSL;
struct WOLFSSL_CTX;

/* TLS 1.3, inside a signature callback: Transcript-Hash(ClientHello .. Certificate), RFC 8446 section 4.4.1. Writes the
 * 32 or 48 bytes of the cipher suite's hash and returns their number, or -1. */
int wolf_shim_tls13_transcript_hash(struct WOLFSSL* ssl, unsigned char out[64]);

/* TLS 1.2 server, inside a signature callback: client_random, server_random and ServerECDHParams, RFC 8422
 * section 5.4. Points into `ssl`, valid until the callback returns. Returns 0, or -1. */
int wolf_shim_tls12_server_key_exchange(struct WOLFSSL* ssl, const unsigned char** data, size_t* size);

/* The running hash by which the tap (handshake_tap.h) identifies this connection; NULL before and after the handshake.
 * A HelloRetryRequest replaces it. */
const void* wolf_shim_handshake_hash(const struct WOLFSSL* ssl);

/* 1 for a server's connection, 0 for a client's. */
int wolf_shim_is_server(const struct WOLFSSL* ssl);

/* Limits sent records to `bytes` of plaintext, or one less; the peer can ask for less by max_fragment_length. At least
 * 512; 16384 means no limit. Call before the handshake. */
void wolf_shim_bound_sent_records(struct WOLFSSL* ssl, size_t bytes);

/* Sets the cipher suites of a context, best first, by their IANA numbers. Call after the certificate is loaded: that
 * would replace them. Returns 0, or -1 if this build lacks one or there is no memory. */
int wolf_shim_set_suites(struct WOLFSSL_CTX* context, const uint16_t* suites, size_t count);

/* Inside the callback for the server name: `ssl` shows the certificate of `context`, and signs with its key. That
 * context must have the same settings as the connection's own, and outlive the connection. What this sets is what
 * wolfSSL_set_SSL_CTX(), which needs OPENSSL_EXTRA, and wolfSSL_new() take from a context's certificate. */
void wolf_shim_use_certificate_of(struct WOLFSSL* ssl, const struct WOLFSSL_CTX* context);

/* RFC 8446 section 6: the alert for a wolfSSL error. */
int wolf_shim_alert_for(int wolf_error);

/* Sends it, unless the connection is over: either side has sent a fatal alert, or the connection is reset. */
void wolf_shim_send_fatal_alert(struct WOLFSSL* ssl, int alert);
int wolf_shim_is_over(const struct WOLFSSL* ssl);
int wolf_shim_has_sent_fatal_alert(const struct WOLFSSL* ssl);
/* Client only, after the handshake: whether the server asked for a certificate. */
int wolf_shim_was_asked_for_certificate(const struct WOLFSSL* ssl);
int wolf_shim_has_declined_renegotiation(const struct WOLFSSL* ssl);
/* Whether an error means that nothing in the peer's offer can be used. */
int wolf_shim_is_about_offers(int wolf_error);

#ifdef __cplusplus
}
#endif
