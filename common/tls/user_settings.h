/* The wolfSSL profile of mqtt-relay: what is compiled in, and why.
 *
 * Promise: TLS 1.2 (ECDHE + AEAD only) and TLS 1.3, the key types that devices have, and nothing that could
 * remember one device's certificate or session for another one. What is not here can't be negotiated, misused or
 * exploited.
 *
 * Every target that includes a wolfSSL header must see these very settings (struct layouts depend on them);
 * linking to wolfssl_tls does that. The assembler reads this file too: preprocessor lines and comments only.
 */
#ifndef MQTT_RELAY_WOLFSSL_USER_SETTINGS_H
#define MQTT_RELAY_WOLFSSL_USER_SETTINGS_H

/* ---- Processor: hand-written assembly, chosen at run time by what the processor has ----------------------------- */
#if defined(__x86_64__)
#define WOLFSSL_X86_64_BUILD
#define USE_INTEL_SPEEDUP
#define WOLFSSL_AESNI
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_X86_64_ASM
/* wolfSSL's AVX2 code for elliptic curves and RSA leaves the upper halves of the vector registers in use. Some Intel
 * processors then run its SHA-256 a hundred times slower, for all that follows (80 us a KiB instead of 0.6, measured).
 * wolfSSL calls this macro after such code. */
#define RESTORE_VECTOR_REGISTERS()                                                  \
  do {                                                                              \
    if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroupper" ::: "memory"); \
  } while (0)
#elif defined(__aarch64__)
/* AES, GHASH and SHA-256 use the crypto extension (sha256_blocks.c), or NEON where the processor has none. P-256,
 * P-384, P-521, X25519, RSA, ChaCha20, Poly1305, SHA-512, SHA-3 and ML-KEM have ARMv8.0 assembly. */
#define WOLFSSL_AARCH64_BUILD
#define WOLFSSL_ARMASM
#define WOLFSSL_SP_ARM64
#define WOLFSSL_SP_ARM64_ASM
/* SQRDMLSH is ARMv8.1; we build for ARMv8.0 with its crypto extension. ARMASM_CRYPTO_SHA3/SHA512 (8.2) stay off for the
 * same reason: the baseline assembler refuses eor3. */
#define WOLFSSL_AARCH64_NO_SQRDMLSH
#else
#error \
    "mqtt-relay's wolfSSL profile knows x86-64 and aarch64 only; add this processor to user_settings.h and CMakeLists.txt"
#endif
#define WOLFSSL_SP_ASM
#define WOLFSSL_USE_ALIGN
#define HAVE___UINT128_T 1

/* ---- Platform ---------------------------------------------------------------------------------------------------- */
/* Not SINGLE_THREADED: keyd may sign on several threads, and both daemons share this one library. */
#define HAVE_THREAD_LS
#define HAVE_C___ATOMIC 1
/* Random bytes by getrandom(2): the sandboxed processes may open no /dev/urandom. */
#define HAVE_GETRANDOM
#define WOLFSSL_GETRANDOM
/* No code calls wolfSSL's own file loaders: PEM comes as bytes, from descriptors that were opened before the sandbox
 * closed. */
#define NO_FILESYSTEM
/* Error and alert names stay (no NO_ERROR_STRINGS): operators read them. WOLFSSL_SMALL_STACK stays off: it puts key
 * material on the heap and costs time; without it a handshake needs up to 23 KiB of stack (P-521, measured) of 64 KiB.
 */

/* ---- Big numbers: the fixed-size, constant-time SP code for the sizes we allow ---------------------------------- */
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_LARGE_CODE
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_384
#define WOLFSSL_SP_521
#define SP_INT_BITS 4096
/* Timing resistance, and blinding in the code paths that have it (the SP code for RSA has none). Nothing in wolfCrypt
 * checks an RSA-CRT signature before it is given out: a fault in one half reveals the key, so the caller must verify.
 */
#define TFM_TIMING_RESISTANT
#define ECC_TIMING_RESISTANT
#define WC_RSA_BLINDING

/* ---- Algorithms -------------------------------------------------------------------------------------------------- */
/* Signatures: RSA >= 2048 (PKCS#1 v1.5 for TLS 1.2 and certificates, PSS), ECDSA P-256/384/521, Ed25519. */
#define RSA_MIN_SIZE 2048
#define WOLFSSL_MIN_RSA_BITS 2048 /* in certificates: a CA with less is not loaded, a peer with less is refused */
#define WOLFSSL_MIN_ECC_BITS 256
#define WC_RSA_PSS
#define WOLFSSL_PSS_LONG_SALT /* in certificates: OpenSSL's default is the longest salt that fits; TLS fixes its own \
                               */
#define HAVE_ECC
#define ECC_USER_CURVES
#define HAVE_COMP_KEY /* certificates and keys may have compressed points (RFC 5480 section 2.2); TLS itself has none \
                       */
#define HAVE_ECC384
#define HAVE_ECC521
#define ECC_MIN_KEY_SZ 256
#define ECC_SHAMIR
#define HAVE_ED25519
/* Key agreement: X25519, the NIST curves, and X25519MLKEM768. Only the hybrid group of ML-KEM, and only its 768 size.
 */
#define HAVE_CURVE25519
#ifndef MQTT_RELAY_WOLFSSL_5_7
#define WOLFSSL_HAVE_MLKEM
#define WOLFSSL_NO_ML_KEM_512
#define WOLFSSL_NO_ML_KEM_1024
#define WOLFSSL_TLS_NO_MLKEM_STANDALONE
#define WOLFSSL_PQC_HYBRIDS
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256
#endif
#define WOLFSSL_SHA3
/* Records and hashes. AES-CBC is in for encrypted private keys only; WOLFSSL_AEAD_ONLY keeps it out of TLS. */
#define HAVE_AESGCM
/* Only for a listener or remote that names such a suite in `ciphers` (wolf_shim_set_suites): constrained devices have
 * AES-CCM in hardware. wolfSSL would also offer it by default. */
#ifndef MQTT_RELAY_WOLFSSL_5_7
#define HAVE_AESCCM
#endif
/* AES-NI needs no such tables, which take 2 KiB of each session. A processor without AES-NI then computes GHASH bit by
 * bit. */
#if !defined(__x86_64__)
#define GCM_TABLE_4BIT
#endif
#define HAVE_AES_CBC
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define HAVE_HKDF
#define HAVE_HASHDRBG
/* SHA-1 is in for OpenSSL 1.0's encrypted private keys only, PBKDF2 over HMAC-SHA1. TLS does not offer it (NO_OLD_TLS),
 * and wolfSSL verifies no certificate's signature here: common/trust does, and refuses SHA-1 (5.7.2 goes without it).
 */
#ifdef MQTT_RELAY_WOLFSSL_5_7
#define NO_SHA
#endif
/* Out, because nothing modern needs them and each is a way to be downgraded. */
#define NO_MD5
#define NO_MD4
#define NO_DES3
#define NO_RC4
#define NO_DSA
#define NO_DH
#define NO_PSK
#define NO_OLD_POLY1305 /* the cipher suites of the draft before RFC 7905 */

/* ---- TLS ----------------------------------------------------------------------------------------------------------
 */
#define WOLFSSL_TLS13
#define NO_OLD_TLS
#define WOLFSSL_AEAD_ONLY
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_SNI
#define HAVE_ALPN
/* Devices with small buffers ask for small records (RFC 6066 section 4). */
#define HAVE_MAX_FRAGMENT
/* A dummy change_cipher_spec for clients with a session id, which RFC 8446 appendix D.4 demands of a server. */
#define WOLFSSL_TLS13_MIDDLEBOX_COMPAT
/* RFC 7507: a device that says it fell back from TLS 1.3 gets the alert inappropriate_fallback. */
#define HAVE_FALLBACK_SCSV
/* Key shares in a ClientHello; RFC 8446 section 4.2.8 sets no limit, and a scanner sends more than the default of 24.
 */
#define MAX_KEYSHARE_NAMED_GROUPS 512
/* legacy_version 0x0304 or more without supported_versions is served with TLS 1.2 (RFC 8446 section 4.2.1), as OpenSSL
 * does and RFC 5246 appendix E demands. */
#define WOLFSSL_ALLOW_BAD_TLS_LEGACY_VERSION
/* The alerts of TLS 1.2 handshakes too. Where it has none, stream.cpp sends one. */
#define WOLFSSL_EXTRA_ALERTS
/* Signatures are made by keyd: a certificate without its key, and callbacks that ask for the signature. */
#define HAVE_PK_CALLBACKS
#define WOLF_PRIVATE_KEY_ID
/* The verify callback is called on success too: there the validator (common/trust) decides, and the device's chain is
 * captured. wolfSSL itself judges no chain (peer_certificate.c). */
#define WOLFSSL_ALWAYS_VERIFY_CB
/* The validator's own bounds, which are OpenSSL's (SSL_MAX_CERT_LIST_DEFAULT), say what is too long, and why. */
#define MAX_CHAIN_DEPTH 40
#define MAX_CERTIFICATE_SZ (100 * 1024)
/* A session resumed across connections would carry one device's identity into another's (a real broker did, measured).
 */
#define NO_SESSION_CACHE
/* Never: SESSION_CERTS (+36 KiB a pair of connections), KEEP_PEER_CERT (+4 KiB), OPENSSL_EXTRA (a second library),
 * HAVE_SECRET_CALLBACK (hands session secrets out), HAVE_SESSION_TICKET, WOLFSSL_ASYNC_CRYPT (use-after-free when a
 * peer leaves while its signature is made, measured in 5.9.2), WOLFSSL_EARLY_DATA (replays), WOLFSSL_CHECK_SIG_FAULTS
 * (covers ECDSA in TLS only, and reads the private key, which only keyd has). */

/* ---- Certificates and private keys --------------------------------------------------------------------------------
 */
/* The parser must read what devices in the field have and the validator accepts. */
#define WOLFSSL_ASN_ALLOW_0_SERIAL
#define WOLFSSL_ASN_TEMPLATE
#define WOLFSSL_PEM_TO_DER
#define WOLFSSL_DER_TO_PEM
#define WOLFSSL_BASE64_ENCODE
/* Brokers are also named by address. */
#define WOLFSSL_IP_ALT_NAME
/* PKCS#8, encrypted by PBES2: what `openssl genpkey -aes256` writes (PBKDF2 with HMAC-SHA256, AES-256-CBC). */
#define HAVE_PKCS8
#define WOLFSSL_ENCRYPTED_KEYS
/* Half a second at most for one key; OpenSSL writes 2,048 rounds, and advice is 600,000. */
#define WC_PBKDF_DEFAULT_MAX_ITERATIONS 1000000
/* Public key out of a private one, as DER: keyd compares it with the certificate's SubjectPublicKeyInfo. */
#define WOLFSSL_KEY_TO_DER
#ifdef MQTT_RELAY_WOLFSSL_5_7
#define WOLFSSL_KEY_GEN /* its name for it then */
#endif

#endif
