/* Reads wolfSSL's internals for our own code. Compiled with the library's own user_settings.h. */
#include "common/tls/wolf_shim.h"

#include <wolfssl/wolfcrypt/settings.h>

#include "common/tls/alerts.h"
#include <wolfssl/error-ssl.h>
#include <wolfssl/internal.h>
#include <wolfssl/version.h>

#include <string.h>

/* The pinned release and the last resort (packaging/wolfssl/fetch). Their sources agree in everything that this file
 * uses. */
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

const void* wolf_shim_handshake_hash(const WOLFSSL* ssl) {
    return ssl->hsHashes == NULL ? NULL : &ssl->hsHashes->hashSha256;
}

int wolf_shim_is_server(const WOLFSSL* ssl) { return ssl->options.side == WOLFSSL_SERVER_END; }

/* One variable holds our bound and, once negotiated, the peer's, which also applies to what is received
 * (record_rules.c). A power of two is the peer's. */
void wolf_shim_bound_sent_records(WOLFSSL* ssl, size_t bytes) {
    if (bytes < MAX_RECORD_SIZE)
        ssl->max_fragment = (word16)((bytes & (bytes - 1)) == 0 ? bytes - 1 : bytes);
}

/* wolfSSL's public function also narrows the signature schemes to those that the suites name, so that a listener with
 * ECDSA suites only would refuse devices with RSA keys. InitSSL_CTX_Suites sets all schemes. */
int wolf_shim_set_suites(WOLFSSL_CTX* context, const uint16_t* suites, size_t count) {
    if (count * 2 > WOLFSSL_MAX_SUITE_SZ || AllocateCtxSuites(context) != 0)
        return -1;
    InitSSL_CTX_Suites(context);
    for (size_t i = 0; i < count; i++) {
        const byte first = (byte)(suites[i] >> 8), second = (byte)suites[i];
        if (strcmp(wolfSSL_get_cipher_name_from_suite(first, second), "None") == 0)
            return -1;
        context->suites->suites[2 * i] = first;
        context->suites->suites[2 * i + 1] = second;
    }
    context->suites->suiteSz = (word16)(count * 2);
    context->suites->setSuites = 1; /* or wolfSSL would set its own list again */
    return 0;
}

void wolf_shim_use_certificate_of(WOLFSSL* ssl, const WOLFSSL_CTX* context) {
    ssl->buffers.certificate = context->certificate;
    ssl->buffers.certChain = context->certChain;
    ssl->buffers.certChainCnt = context->certChainCnt;
    ssl->buffers.key = context->privateKey;
    ssl->buffers.keyType = context->privateKeyType;
    ssl->buffers.keyId = context->privateKeyId;
    ssl->buffers.keyLabel = context->privateKeyLabel;
    ssl->buffers.keySz = context->privateKeySz;
    ssl->buffers.keyDevId = context->privateKeyDevId;
    ssl->pkCurveOID = context->pkCurveOID;
    ssl->options.haveRSA = context->haveRSA;
    ssl->options.haveECDSAsig = context->haveECDSAsig;
    ssl->options.haveECC = context->haveECC;
    ssl->options.haveStaticECC = context->haveStaticECC;
}

int wolf_shim_alert_for(int wolf_error) { return mqtt_relay_alert_for(wolf_error); }

int wolf_shim_is_over(const WOLFSSL* ssl) { return ssl->options.isClosed || ssl->options.connReset; }

int wolf_shim_has_sent_fatal_alert(const WOLFSSL* ssl) { return ssl->alert_history.last_tx.level == alert_fatal; }

void wolf_shim_send_fatal_alert(WOLFSSL* ssl, int alert) {
    if (!wolf_shim_is_over(ssl))
        SendAlert(ssl, alert_fatal, alert);
}

int wolf_shim_was_asked_for_certificate(const WOLFSSL* ssl) { return ssl->options.sendVerify != 0; }

int wolf_shim_has_declined_renegotiation(const WOLFSSL* ssl) {
    return ssl->alert_history.last_tx.level == alert_warning && ssl->alert_history.last_tx.code == no_renegotiation;
}

int wolf_shim_is_about_offers(int wolf_error) {
    return wolf_error == MATCH_SUITE_ERROR || wolf_error == BAD_KEY_SHARE_DATA || wolf_error == ECC_CURVE_ERROR ||
           wolf_error == UNSUPPORTED_SUITE;
}
