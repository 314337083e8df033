/* The only file that includes wolfssl/internal.h; compiled with the library's own user_settings.h. */
#include "relayd/tls/wolf_shim.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/internal.h>
#include <wolfssl/version.h>

/* The pinned release, and the one of the last resort (packaging/wolfssl/fetch), whose sources agree in all this uses. */
_Static_assert(LIBWOLFSSL_VERSION_HEX == 0x05009002 || LIBWOLFSSL_VERSION_HEX == 0x05007002,
               "read wolf_shim.c against this wolfSSL's sources, then allow it");

int wolf_shim_tls13_transcript_hash(WOLFSSL* ssl, unsigned char out[64]) {
    if (ssl->hsHashes == NULL)
        return -1;
    switch (ssl->specs.mac_algorithm) {
    case sha256_mac:
        return wc_Sha256GetHash(&ssl->hsHashes->hashSha256, out) == 0 ? WC_SHA256_DIGEST_SIZE : -1;
    case sha384_mac:
        return wc_Sha384GetHash(&ssl->hsHashes->hashSha384, out) == 0 ? WC_SHA384_DIGEST_SIZE : -1;
    default:
        return -1;
    }
}

/* wolfSSL keeps the buffer past the hashing only because a ProcessServerSigKex callback is set (context.cpp). */
int wolf_shim_tls12_server_key_exchange(WOLFSSL* ssl, const unsigned char** data, size_t* size) {
    if (ssl->options.side != WOLFSSL_SERVER_END || ssl->buffers.sig.buffer == NULL ||
        ssl->buffers.sig.length < 2 * RAN_LEN)
        return -1;
    *data = ssl->buffers.sig.buffer;
    *size = ssl->buffers.sig.length;
    return 0;
}

static int is_for(DecodedCert* certificate, const char* name, size_t name_size, int is_ip) {
#if defined(MQTT_RELAY_WOLFSSL_5_7)
    (void)is_ip; /* coarser: wildcards anywhere, and a dNSName may be an address */
    return CheckHostName(certificate, name, name_size) == 0;
#else
    return CheckHostName(certificate, name, name_size, WOLFSSL_LEFT_MOST_WILDCARD_ONLY, (byte)is_ip) == 0;
#endif
}

int wolf_shim_certificate_is_for(const unsigned char* der, size_t size, const char* name, size_t name_size, int is_ip) {
    DecodedCert certificate;
    int matches;
    wc_InitDecodedCert(&certificate, der, (word32)size, NULL);
    matches = wc_ParseCert(&certificate, CERT_TYPE, NO_VERIFY, NULL) == 0 &&
              is_for(&certificate, name, name_size, is_ip);
    wc_FreeDecodedCert(&certificate);
    return matches;
}

int wolf_shim_is_server(const WOLFSSL* ssl) { return ssl->options.side == WOLFSSL_SERVER_END; }
