/* The only file of ours that includes wolfssl/internal.h, but for packaging/wolfssl's own; compiled with the library's own user_settings.h. */
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

const void* wolf_shim_handshake_hash(const WOLFSSL* ssl) {
    return ssl->hsHashes == NULL ? NULL : &ssl->hsHashes->hashSha256;
}

int wolf_shim_is_server(const WOLFSSL* ssl) { return ssl->options.side == WOLFSSL_SERVER_END; }

/* One variable has our bound and, once negotiated, the peer's, which holds for what is received too (record_rules.c). A
 * power of two is a peer's. */
void wolf_shim_bound_sent_records(WOLFSSL* ssl, size_t bytes) {
    if (bytes < MAX_RECORD_SIZE)
        ssl->max_fragment = (word16)((bytes & (bytes - 1)) == 0 ? bytes - 1 : bytes);
}

/* wolfSSL's own tables (TranslateErrorToAlert, SendFatalAlertOnly) cover handshake messages only, and in part. */
int wolf_shim_alert_for(int wolf_error) {
    switch (wolf_error) {
    case VERSION_ERROR:
    case UNSUPPORTED_PROTO_VERSION:
        return wolfssl_alert_protocol_version;
    case UNKNOWN_RECORD_TYPE:
    case UNKNOWN_HANDSHAKE_TYPE:
    case OUT_OF_ORDER_E:
    case DUPLICATE_MSG_E:
    case SANITY_MSG_E:
    case NO_CHANGE_CIPHER_E:
    case ALERT_COUNT_E:
        return unexpected_message;
    case LENGTH_ERROR:
        return record_overflow;
    case BUFFER_ERROR:
    case BUFFER_E:
    case PARSE_ERROR:
    case INCOMPLETE_DATA:
    case HANDSHAKE_SIZE_ERROR:
        return decode_error;
    case DECRYPT_ERROR:
    case VERIFY_MAC_ERROR:
    case AES_GCM_AUTH_E:
    case MAC_CMP_FAILED_E:
        return bad_record_mac;
    case VERIFY_FINISHED_ERROR:
    case SIG_VERIFY_E:
    case VERIFY_SIGN_ERROR:
        return decrypt_error;
    case INVALID_PARAMETER:
    case PEER_KEY_ERROR:
    case ECC_PEERKEY_ERROR:
    case BAD_KEY_SHARE_DATA:
    case DUPLICATE_TLS_EXT_E:
    case ECC_CURVETYPE_ERROR:
    case ECC_CURVE_ERROR:
        return illegal_parameter;
    case UNSUPPORTED_EXTENSION:
        return unsupported_extension;
    case EXT_MISSING:
        return missing_extension;
    case MEMORY_E:
    case MEMORY_ERROR:
    case RNG_FAILURE_E:
    case BAD_FUNC_ARG:
    case BAD_STATE_E:
        return internal_error;
    default:
        return handshake_failure;
    }
}

int wolf_shim_is_over(const WOLFSSL* ssl) { return ssl->options.isClosed || ssl->options.connReset; }

int wolf_shim_has_sent_fatal_alert(const WOLFSSL* ssl) { return ssl->alert_history.last_tx.level == alert_fatal; }

void wolf_shim_send_fatal_alert(WOLFSSL* ssl, int alert) {
    if (!wolf_shim_is_over(ssl))
        SendAlert(ssl, alert_fatal, alert);
}

int wolf_shim_has_declined_renegotiation(const WOLFSSL* ssl) {
    return ssl->alert_history.last_tx.level == alert_warning && ssl->alert_history.last_tx.code == no_renegotiation;
}

int wolf_shim_is_about_offers(int wolf_error) {
    return wolf_error == MATCH_SUITE_ERROR || wolf_error == BAD_KEY_SHARE_DATA || wolf_error == ECC_CURVE_ERROR ||
           wolf_error == UNSUPPORTED_SUITE;
}
