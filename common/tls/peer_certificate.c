/* From a peer's chain, wolfSSL reads only what the handshake needs, the leaf's public key, and judges nothing.
 *
 * relayd's validator (common/trust) decides about the chain, in the verify callback. In internal.c, and there alone,
 * the build gives ParseCertRelative this function's name: ProcessPeerCertParse is its only caller there in our profile
 * (the other two belong to OCSP and session tickets). verifyNone would also skip the parser's checks. Here, every other
 * duty of a handshake stays: a required certificate, CertificateVerify, the least key sizes.
 *
 * Certificates after the leaf are not read. `cert` stays as initialised, so isCA is 0, and wolfSSL adds nothing to the
 * store that all connections share. */
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/internal.h>
#include <wolfssl/version.h>

_Static_assert(LIBWOLFSSL_VERSION_HEX == 0x05009002 || LIBWOLFSSL_VERSION_HEX == 0x05007002,
               "read this file against this wolfSSL's ProcessPeerCerts, then allow it");
#if defined(HAVE_OCSP) || defined(HAVE_SESSION_TICKET)
#error "internal.c would call ParseCertRelative for more than a peer's chain"
#endif

static int parse_peer_certificate(DecodedCert* cert, int type)
{
    if (type == CHAIN_CERT_TYPE) {
        return 0;
    }
    /* Reads up to the key and no extension, as wolfSSL does for a certificate of its own. */
    if (DecodeToKey(cert, NO_VERIFY) != 0) {
        return PEER_KEY_ERROR; /* for this error, unlike a parser's, the callback is called: it says why, and sends the alert */
    }
    /* wolfSSL refuses a client's version 1 certificate (RFC 8446 4.4.2.4 leaves that to the validator). */
    cert->version = WOLFSSL_X509_V3;
    return 0;
}

#if LIBWOLFSSL_VERSION_HEX == 0x05007002
int mqtt_relay_parse_peer_certificate(DecodedCert* cert, int type, int verify, void* manager);
int mqtt_relay_parse_peer_certificate(DecodedCert* cert, int type, int verify, void* manager)
{
    (void)verify;
    (void)manager;
    return parse_peer_certificate(cert, type);
}
#else
int mqtt_relay_parse_peer_certificate(DecodedCert* cert, int type, int verify, void* manager, Signer* extra);
int mqtt_relay_parse_peer_certificate(DecodedCert* cert, int type, int verify, void* manager, Signer* extra)
{
    (void)verify;
    (void)manager;
    (void)extra;
    return parse_peer_certificate(cert, type);
}
#endif
