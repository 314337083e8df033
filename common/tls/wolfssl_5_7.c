#include "wolfssl_5_7.h"

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

int wc_GetSubjectPubKeyInfoDerFromCert(const byte* certificate, word32 certificate_size, byte* spki, word32* size)
{
    DecodedCert decoded;
    int bad_date = 0;
    int ret;

    wc_InitDecodedCert(&decoded, certificate, certificate_size, NULL);
    ret = wc_GetPubX509(&decoded, 0, &bad_date); /* leaves srcIdx at the SubjectPublicKeyInfo */
    if (ret >= 0) {
        word32 at = decoded.srcIdx;
        int length = 0;
        ret = GetSequence(certificate, &at, &length, certificate_size);
        if (ret >= 0) {
            word32 whole = at - decoded.srcIdx + (word32)length;
            ret = whole <= *size ? 0 : BUFFER_E;
            if (ret == 0 && spki != NULL) {
                XMEMCPY(spki, certificate + decoded.srcIdx, whole);
            }
            *size = whole;
        }
    }
    wc_FreeDecodedCert(&decoded);
    return ret;
}
