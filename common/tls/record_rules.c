#include <wolfssl/wolfcrypt/settings.h>

#include "record_rules.h"

#include <wolfssl/error-ssl.h>

#include <string.h>

/* While only a part of a header has come, the pending message has the size of a header, which no unfinished message
 * has. */
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
    const word32 more = IsEncryptionOn(ssl, 0) ? MAX_MSG_EXTRA : 0;
    switch (ssl->max_fragment) {
    case 512:
    case 1024:
    case 2048:
    case 4096:
        return ssl->max_fragment + more;
    default:
        return MAX_RECORD_SIZE + more;
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

/* wolfSSL counts empty records of application data with it, and sets it to 0 once a record has data. */
int mqtt_relay_drops_change_cipher_spec(WOLFSSL* ssl) { return ++ssl->options.emptyRecordCount < WOLFSSL_MAX_EMPTY_RECORDS; }

static int is_among(const byte* pair, const byte* list, word32 size) {
    word32 i;
    for (i = 0; i + 1 < size; i += 2)
        if (list[i] == pair[0] && list[i + 1] == pair[1])
            return 1;
    return 0;
}

/* Keeps at most `known_size` bytes. `size` is even. */
static word16 keep_known(byte* kept, const byte* offered, word32 size, const byte* known, word32 known_size) {
    word16 kept_size = 0;
    word32 i;
    for (i = 0; i + 1 < size; i += 2) {
        if (!is_among(offered + i, known, known_size) || is_among(offered + i, kept, kept_size))
            continue;
        memcpy(kept + kept_size, offered + i, 2);
        kept_size = (word16)(kept_size + 2);
    }
    if (kept_size == 0 && size >= 2) {
        memcpy(kept, offered, 2);
        kept_size = 2;
    }
    return kept_size;
}

word32 mqtt_relay_keep_suites(WOLFSSL* ssl, const byte* offered) {
    static const byte signals[] = {0x00, 0xff, 0x56, 0x00}; /* RFC 5746 section 3.3, RFC 7507 section 2 */
    const Suites* own = WOLFSSL_SUITES(ssl);
    const word32 size = ssl->clSuites->suiteSz;
    byte known[WOLFSSL_MAX_SUITE_SZ + sizeof signals];
    memcpy(known, own->suites, own->suiteSz);
    memcpy(known + own->suiteSz, signals, sizeof signals);
    ssl->clSuites->suiteSz = keep_known(ssl->clSuites->suites, offered, size, known, own->suiteSz + sizeof signals);
    return size;
}

void mqtt_relay_keep_schemes(Suites* suites, const byte* offered) {
    static const byte known[] = {0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x04, 0x08, 0x05, 0x08, 0x06,
                                 0x08, 0x09, 0x08, 0x0a, 0x08, 0x0b, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01};
    suites->hashSigAlgoSz = keep_known(suites->hashSigAlgo, offered, suites->hashSigAlgoSz, known, sizeof known);
}

int mqtt_relay_allows_group(const WOLFSSL* ssl, word16 group) {
    int i;
    if (ssl->options.side != WOLFSSL_SERVER_END || ssl->numGroups == 0)
        return 1;
    for (i = 0; i < ssl->numGroups; i++)
        if (ssl->group[i] == group)
            return 1;
    return 0;
}

int mqtt_relay_declines_renegotiation(WOLFSSL* ssl, byte type) {
    return type == client_hello && ssl->options.side == WOLFSSL_SERVER_END && ssl->options.handShakeDone &&
           ++ssl->options.alertCount < WOLFSSL_ALERT_COUNT_MAX;
}

int mqtt_relay_may_alert_in_plaintext(const WOLFSSL* ssl) {
    return !ssl->options.handShakeDone && ssl->keys.peer_sequence_number_hi == 0 && ssl->keys.peer_sequence_number_lo == 0;
}

/* The number of bytes left to skip is kept in the flags for wolfSSL's own recv(), which I/O callbacks replace here. */
void mqtt_relay_expect_early_data(WOLFSSL* ssl) {
    if (ssl->options.side == WOLFSSL_SERVER_END && IsAtLeastTLSv1_3(ssl->version))
        ssl->rflags = 16 * 1024;
}

int mqtt_relay_skips_early_data(WOLFSSL* ssl) {
    const int cost = ssl->curSize == 0 ? 1 : (int)ssl->curSize; /* so that empty records also reach the bound */
    if (ssl->options.handShakeDone || ssl->rflags < cost)
        return 0;
    if (IsEncryptionOn(ssl, 0)) {
        /* wolfSSL counts a record before it tries to decrypt it. No early data comes after the first one that can be
         * decrypted. */
        if (ssl->keys.decryptedCur || ssl->keys.peer_sequence_number_hi != 0 || ssl->keys.peer_sequence_number_lo != 1)
            return 0;
        ssl->keys.peer_sequence_number_lo = 0;
    }
    ssl->rflags -= cost;
    ssl->buffers.inputBuffer.idx += ssl->curSize;
    return 1;
}
