#include <wolfssl/wolfcrypt/settings.h>

#include "alerts.h"

#include <wolfssl/error-ssl.h>
#include <wolfssl/internal.h>

int mqtt_relay_alert_for(int wolf_error) {
    switch (wolf_error) {
    case VERSION_ERROR:
        return wolfssl_alert_protocol_version;
    case UNSUPPORTED_PROTO_VERSION: /* changes.cmake: RFC 7507 */
        return inappropriate_fallback;
    case UNKNOWN_RECORD_TYPE:
    case UNKNOWN_HANDSHAKE_TYPE:
    case OUT_OF_ORDER_E:
    case DUPLICATE_MSG_E:
    case SANITY_MSG_E:
    case NO_CHANGE_CIPHER_E:
    case NO_PEER_VERIFY: /* a certificate without a CertificateVerify: RFC 5246 section 7.4.8 */
#ifndef MQTT_RELAY_WOLFSSL_5_7
    case EMPTY_RECORD_LIMIT_E:
#endif
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
    case VERIFY_CERT_ERROR: /* about a CertificateVerify's signature, not about a chain */
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
