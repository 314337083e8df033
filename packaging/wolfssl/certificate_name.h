/* Whether a certificate is for a name: the one verdict of both daemons. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `name`: a DNS name, or an address as text: RFC 9525, a wildcard only as the whole leftmost label, the common name only
 * without any subjectAltName. The public wolfSSL_check_domain_name takes wildcards elsewhere and refuses names of one
 * label. Verifies nothing else. 1 or 0. */
int mqtt_relay_certificate_is_for(const unsigned char* der, size_t size, const char* name, size_t name_size);

/* Whether a host's name is an address: those have no SNI (RFC 6066 section 3) and stand as such in a certificate. */
int mqtt_relay_is_ip_address(const char* name, size_t name_size);

#ifdef __cplusplus
}
#endif
