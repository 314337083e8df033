/* Beside wolf_shim.c the only file that includes wolfssl/internal.h: CheckHostName has no public door of its strictness. */
#include "certificate_name.h"

#include <arpa/inet.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/internal.h>
#include <wolfssl/version.h>

_Static_assert(LIBWOLFSSL_VERSION_HEX == 0x05009002 || LIBWOLFSSL_VERSION_HEX == 0x05007002,
               "read this file against this wolfSSL's sources, then allow it");

int mqtt_relay_is_ip_address(const char* name, size_t name_size) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (name_size >= sizeof text)
        return 0;
    memcpy(text, name, name_size);
    text[name_size] = 0;
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static int is_for(DecodedCert* certificate, const char* name, size_t name_size) {
#if defined(MQTT_RELAY_WOLFSSL_5_7)
    /* coarser: wildcards anywhere, and a dNSName may be an address */
    return CheckHostName(certificate, name, name_size) == 0;
#else
    return CheckHostName(certificate, name, name_size, WOLFSSL_LEFT_MOST_WILDCARD_ONLY,
                         (byte)mqtt_relay_is_ip_address(name, name_size)) == 0;
#endif
}

int mqtt_relay_certificate_is_for(const unsigned char* der, size_t size, const char* name, size_t name_size) {
    DecodedCert certificate;
    int matches;
    wc_InitDecodedCert(&certificate, der, (word32)size, NULL);
    matches = wc_ParseCert(&certificate, CERT_TYPE, NO_VERIFY, NULL) == 0 && is_for(&certificate, name, name_size);
    wc_FreeDecodedCert(&certificate);
    return matches;
}
