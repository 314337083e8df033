#include <wolfssl/wolfcrypt/settings.h>

#include "record_rules.h"

#include <wolfssl/error-ssl.h>

#include <string.h>

/* While only a part of a header is there, the pending message is a header's size, which no unfinished message has. */
int mqtt_relay_gather_handshake_header(WOLFSSL* ssl, const byte* input, word32* inOutIdx, word32 totalSz) {
    Arrays* arrays = ssl->arrays;
    word32 left = totalSz - *inOutIdx, missing, size;
    byte* message;

    if (arrays->pendingMsgSz == 0) {
        if (left >= HANDSHAKE_HEADER_SZ)
            return 1;
        arrays->pendingMsg = (byte*)XMALLOC(HANDSHAKE_HEADER_SZ, ssl->heap, DYNAMIC_TYPE_ARRAYS);
        if (arrays->pendingMsg == NULL)
            return MEMORY_E;
        arrays->pendingMsgSz = HANDSHAKE_HEADER_SZ;
        arrays->pendingMsgOffset = 0;
    }
    if (arrays->pendingMsgSz != HANDSHAKE_HEADER_SZ)
        return 1;

    missing = HANDSHAKE_HEADER_SZ - arrays->pendingMsgOffset;
    if (left < missing)
        missing = left;
    memcpy(arrays->pendingMsg + arrays->pendingMsgOffset, input + *inOutIdx, missing);
    arrays->pendingMsgOffset += missing;
    *inOutIdx += missing;
    if (arrays->pendingMsgOffset < HANDSHAKE_HEADER_SZ)
        return 0;

    message = arrays->pendingMsg;
    size = ((word32)message[1] << 16) | ((word32)message[2] << 8) | message[3];
    if (size > MAX_HANDSHAKE_SZ)
        return HANDSHAKE_SIZE_ERROR;
    message = (byte*)XREALLOC(message, HANDSHAKE_HEADER_SZ + size, ssl->heap, DYNAMIC_TYPE_ARRAYS);
    if (message == NULL)
        return MEMORY_E; /* the header is freed with the connection */
    arrays->pendingMsg = message;
    arrays->pendingMsgType = message[0];
    arrays->pendingMsgSz = HANDSHAKE_HEADER_SZ + size;
    return size == 0 || *inOutIdx < totalSz;
}

word32 mqtt_relay_largest_received(const WOLFSSL* ssl) {
    switch (ssl->max_fragment) {
    case 512:
    case 1024:
    case 2048:
    case 4096:
        return ssl->max_fragment;
    default:
        return MAX_RECORD_SIZE;
    }
}

int mqtt_relay_scheme_fits_key(const WOLFSSL* ssl, const byte* scheme) {
    const int code = (scheme[0] << 8) | scheme[1];
    switch (code) {
    case 0x0403:
    case 0x0503:
    case 0x0603: {
        const int curve = code == 0x0403 ? ECC_SECP256R1 : code == 0x0503 ? ECC_SECP384R1 : ECC_SECP521R1;
        return ssl->peerEccDsaKeyPresent && ssl->peerEccDsaKey->dp != NULL && ssl->peerEccDsaKey->dp->id == curve;
    }
    case 0x0804:
    case 0x0805:
    case 0x0806:
        return ssl->peerRsaKeyPresent == 1;
    case 0x0809:
    case 0x080a:
    case 0x080b:
        return ssl->peerRsaKeyPresent == MQTT_RELAY_PSS_KEY;
    default:
        return 1; /* one algorithm, one key type: wolfSSL compares them itself */
    }
}

int mqtt_relay_signature_fits_rsa_key(const WOLFSSL* ssl) {
    if (ssl->peerRsaKeyPresent == MQTT_RELAY_PSS_KEY)
        return ssl->options.peerSigAlgo == rsa_pss_pss_algo;
    return ssl->options.peerSigAlgo == rsa_sa_algo || ssl->options.peerSigAlgo == rsa_pss_sa_algo;
}

/* wolfSSL counts empty records of application data by it, which starts anew once there is any. */
int mqtt_relay_drops_change_cipher_spec(WOLFSSL* ssl) { return ++ssl->options.emptyRecordCount < WOLFSSL_MAX_EMPTY_RECORDS; }

int mqtt_relay_has_fallen_back(const byte* hello, word32 size) {
    word32 at = OPAQUE16_LEN + RAN_LEN, end;
    if (at >= size)
        return 0;
    at += OPAQUE8_LEN + hello[at];
    if (at + OPAQUE16_LEN > size)
        return 0;
    end = at + OPAQUE16_LEN + (((word32)hello[at] << 8) | hello[at + 1]);
    if (end > size)
        return 0;
    for (at += OPAQUE16_LEN; at + SUITE_LEN <= end; at += SUITE_LEN)
        if (hello[at] == 0x56 && hello[at + 1] == 0x00)
            return 1;
    return 0;
}
