/* Debian 13's wolfSSL 5.7.2 under the names of 5.9.2, for a build on the last resort of `fetch`; included by force in
 * everything that is linked with it, and by nothing else. Goes away when nobody needs that resort any more. */
#ifndef MQTT_RELAY_WOLFSSL_5_7_H
#define MQTT_RELAY_WOLFSSL_5_7_H

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>

/* 5.7.2 has no X25519MLKEM768, only drafts of it that nobody speaks: X25519 takes its place. */
#define WOLFSSL_X25519MLKEM768 WOLFSSL_ECC_X25519

#ifdef __cplusplus
extern "C" {
#endif

/* Coarser than 5.9.2's: an address is also found in a dNSName or, without alternative names, in the common name; an
 * IPv6 address only in the spelling that wolfSSL gives it. */
int wolfSSL_check_ip_address(WOLFSSL* ssl, const char* address);

/* As in 5.9.2: 0, or a negative error; *size is the buffer's size, then the key's. */
int wc_GetSubjectPubKeyInfoDerFromCert(const byte* certificate, word32 certificate_size, byte* spki, word32* size);

#ifdef __cplusplus
}
#endif

#endif
