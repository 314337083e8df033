/* Debian 13's wolfSSL 5.7.2 under a name of 5.9.2's, for a build on the last resort of packaging/wolfssl/fetch. That
 * build includes it by force wherever it links wolfSSL; so it brings no other header and no other name along. */
#ifndef MQTT_RELAY_WOLFSSL_5_7_H
#define MQTT_RELAY_WOLFSSL_5_7_H

/* 5.7.2 has no X25519MLKEM768, only drafts of it that nobody speaks: X25519 takes its place. */
#define WOLFSSL_X25519MLKEM768 WOLFSSL_ECC_X25519

#endif
