/* Debian 13's wolfSSL 5.7.2 under a name of 5.9.2's, for a build on the last resort of packaging/wolfssl/fetch. That
 * build force-includes it wherever it links wolfSSL, so it includes no header and defines no other name. */
#ifndef MQTT_RELAY_WOLFSSL_5_7_H
#define MQTT_RELAY_WOLFSSL_5_7_H

/* 5.7.2 has no X25519MLKEM768, only drafts of it that no peer uses. X25519 takes its place. */
#define WOLFSSL_X25519MLKEM768 WOLFSSL_ECC_X25519

#endif
