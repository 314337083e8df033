/* arm64 only. wolfSSL 5.9.2 chooses AES by what the processor has, but makes SHA-256 with the crypto extension's
 * instructions always. A processor without them (the Cortex-A72 of a Raspberry Pi 4) would end the program with SIGILL. In
 * sha256.c, and there alone, the build gives Transform_Sha256_Len_crypto this function's name. */
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/cpuid.h>
#include <wolfssl/wolfcrypt/sha256.h>

void mqtt_relay_sha256_blocks(wc_Sha256* hash, const byte* data, word32 size);
void mqtt_relay_sha256_blocks(wc_Sha256* hash, const byte* data, word32 size) {
    if (IS_AARCH64_SHA256(cpuid_get_flags()))
        Transform_Sha256_Len_crypto(hash, data, size);
    else
        Transform_Sha256_Len_neon(hash, data, size);
}
