/* The only door into wolfSSL's internals: what its public API does not tell. Valid for the pinned
 * release only, which wolf_shim.c asserts. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct WOLFSSL;

/* TLS 1.3, inside a signature callback: Transcript-Hash(ClientHello .. Certificate), RFC 8446 section 4.4.1.
 * Writes 32 or 48 bytes, by the cipher suite's hash; returns how many, or -1. */
int wolf_shim_tls13_transcript_hash(struct WOLFSSL* ssl, unsigned char out[64]);

/* TLS 1.2 server, inside a signature callback: client_random, server_random and ServerECDHParams, RFC 8422
 * section 5.4. Points into `ssl`, valid until the callback returns. Returns 0, or -1. */
int wolf_shim_tls12_server_key_exchange(struct WOLFSSL* ssl, const unsigned char** data, size_t* size);

/* Whether a certificate is for `name`, a DNS name or (is_ip) an address: RFC 9525, a wildcard only as the whole
 * leftmost label, the common name only without any subjectAltName. The public wolfSSL_check_domain_name takes wildcards
 * elsewhere and refuses names of one label. 1 or 0. */
int wolf_shim_certificate_is_for(const unsigned char* der, size_t size, const char* name, size_t name_size, int is_ip);

/* 1 for a server's connection, 0 for a client's. */
int wolf_shim_is_server(const struct WOLFSSL* ssl);

#ifdef __cplusplus
}
#endif
