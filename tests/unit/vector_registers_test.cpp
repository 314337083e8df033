// On some processors, SHA-256 is a hundred times slower while the upper halves of the vector registers are in use.
#if defined(__x86_64__)
#include <cpuid.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/sha3.h>
#include <wolfssl/wolfcrypt/wc_mlkem.h>

#include <functional>
#include <vector>

#include "catch.h"
#include "common/tls/wolfcrypt.h"

namespace {

constexpr unsigned kAvxInUse = 1 << 2;  // in XINUSE, Intel SDM volume 1, section 13.6

// Whether XGETBV can tell which registers are in use.
bool knows_use() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(0x0d, 1, &a, &b, &c, &d) && (a & 1 << 2);
}

bool upper_halves_in_use() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return low & kAvxInUse;
}

}  // namespace

TEST_CASE("no wolfCrypt operation leaves the upper halves of the vector registers in use", "[tls]") {
  if (!knows_use()) {
    WARN("SKIPPED: this processor can't tell");
    return;
  }
  __asm__ volatile("vpcmpeqd %%ymm7, %%ymm7, %%ymm7" ::: "xmm7");
  REQUIRE(upper_halves_in_use());
  WC_RNG random;
  REQUIRE(wc_InitRng(&random) == 0);
  std::vector<uint8_t> digest(32, 1), out(1024);
  const auto clean_after = [&](const char* what, const std::function<int()>& operation) {
    __asm__ volatile("vzeroupper" :::);
    const int result = operation();
    const bool used = upper_halves_in_use();
    INFO(what);
    CHECK(result == 0);
    CHECK_FALSE(used);
  };
  const std::pair<const char*, int> kCurves[] = {{"P-256", 32}, {"P-384", 48}, {"P-521", 66}};
  for (const auto& [name, size] : kCurves) {
    INFO(name);
    ecc_key key;
    REQUIRE(wc_ecc_init(&key) == 0);
    word32 length = static_cast<word32>(out.size());
    int good = 0;
    clean_after("make a key", [&, bytes = size] { return wc_ecc_make_key(&random, bytes, &key); });
    clean_after("sign", [&] { return wc_ecc_sign_hash(digest.data(), 32, out.data(), &length, &random, &key); });
    clean_after("verify", [&] { return wc_ecc_verify_hash(out.data(), length, digest.data(), 32, &good, &key); });
    CHECK(good == 1);
    wc_ecc_set_rng(&key, &random);
    word32 shared = static_cast<word32>(out.size());
    clean_after("agree", [&] { return wc_ecc_shared_secret(&key, &key, out.data(), &shared); });
    wc_ecc_free(&key);
  }
  curve25519_key x25519;
  REQUIRE(wc_curve25519_init(&x25519) == 0);
  clean_after("make an X25519 key", [&] { return wc_curve25519_make_key(&random, 32, &x25519); });
  word32 shared = static_cast<word32>(out.size());
  clean_after("agree by X25519", [&] { return wc_curve25519_shared_secret(&x25519, &x25519, out.data(), &shared); });
  ed25519_key ed25519;
  REQUIRE(wc_ed25519_init(&ed25519) == 0);
  word32 length = static_cast<word32>(out.size());
  int good = 0;
  clean_after("make an Ed25519 key", [&] { return wc_ed25519_make_key(&random, 32, &ed25519); });
  clean_after("sign", [&] { return wc_ed25519_sign_msg(digest.data(), 32, out.data(), &length, &ed25519); });
  clean_after("verify", [&] { return wc_ed25519_verify_msg(out.data(), length, digest.data(), 32, &good, &ed25519); });
  MlKemKey mlkem;
  REQUIRE(wc_MlKemKey_Init(&mlkem, WC_ML_KEM_768, nullptr, INVALID_DEVID) == 0);
  clean_after("make an ML-KEM key", [&] { return wc_MlKemKey_MakeKey(&mlkem, &random); });
  std::vector<uint8_t> sealed(WC_ML_KEM_768_CIPHER_TEXT_SIZE);
  clean_after("encapsulate", [&] { return wc_MlKemKey_Encapsulate(&mlkem, sealed.data(), out.data(), &random); });
  clean_after("decapsulate", [&] {
    return wc_MlKemKey_Decapsulate(&mlkem, out.data(), sealed.data(), static_cast<word32>(sealed.size()));
  });
  std::vector<uint8_t> text(16384), tag(16);
  for (const size_t size : {64, 1000, 16384}) {
    Aes aes;
    REQUIRE(wc_AesInit(&aes, nullptr, INVALID_DEVID) == 0);
    clean_after("AES key", [&] { return wc_AesGcmSetKey(&aes, digest.data(), 16); });
    clean_after("AES-GCM encrypt", [&] {
      return wc_AesGcmEncrypt(&aes, text.data(), text.data(), static_cast<word32>(size), digest.data(), 12, tag.data(),
                              16, digest.data(), 5);
    });
    clean_after("AES-GCM decrypt", [&] {
      return wc_AesGcmDecrypt(&aes, text.data(), text.data(), static_cast<word32>(size), digest.data(), 12, tag.data(),
                              16, digest.data(), 5);
    });
    clean_after("SHA-256", [&] { return wc_Sha256Hash(text.data(), static_cast<word32>(size), out.data()); });
    clean_after("SHA-384", [&] { return wc_Sha384Hash(text.data(), static_cast<word32>(size), out.data()); });
    clean_after("SHA-512", [&] { return wc_Sha512Hash(text.data(), static_cast<word32>(size), out.data()); });
    clean_after("SHA3-256", [&] { return wc_Sha3_256Hash(text.data(), static_cast<word32>(size), out.data()); });
    clean_after("ChaCha20-Poly1305", [&] {
      return wc_ChaCha20Poly1305_Encrypt(digest.data(), digest.data(), digest.data(), 5, text.data(),
                                         static_cast<word32>(size), text.data(), tag.data());
    });
    wc_AesFree(&aes);
  }
  wc_FreeRng(&random);
}
#endif
