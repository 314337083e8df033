/* Debian 13's wolfSSL 5.7.2 under the names of 5.9.2, for a build on the last resort of `fetch`. Included by force in all
 * that links with it, in that build alone; so it brings no other header and no other name along. */
#ifndef MQTT_RELAY_WOLFSSL_5_7_H
#define MQTT_RELAY_WOLFSSL_5_7_H

/* 5.7.2 has no X25519MLKEM768, only drafts of it that nobody speaks: X25519 takes its place. */
#define WOLFSSL_X25519MLKEM768 WOLFSSL_ECC_X25519

#ifdef __cplusplus
extern "C" {
#endif

/* As in 5.9.2: 0, or a negative error; *size is the buffer's size, then the key's. */
int wc_GetSubjectPubKeyInfoDerFromCert(const unsigned char* certificate, unsigned int certificate_size,
                                       unsigned char* spki, unsigned int* size);

#ifdef __cplusplus
}
#endif

#endif
