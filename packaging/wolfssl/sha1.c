/* No signature over SHA-1 is ever accepted in a certificate or a CRL.
 *
 * wolfSSL has no switch for that short of NO_SHA, and NO_SHA loses CAs that are found by the SHA-1 of their key
 * (see user_settings.h). In asn.c, and there alone, the build gives wc_ShaHash_ex this function's name: it is what hashes
 * the signed part for sha1WithRSAEncryption, ecdsa-with-SHA1 and RSASSA-PSS with SHA-1. */
#include <wolfssl/wolfcrypt/types.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

int mqtt_relay_refuse_sha1_signature(const byte* data, word32 length, byte* hash, void* heap, int device);
int mqtt_relay_refuse_sha1_signature(const byte* data, word32 length, byte* hash, void* heap, int device)
{
    (void)data;
    (void)length;
    (void)hash;
    (void)heap;
    (void)device;
    return HASH_TYPE_E;
}
