// On some processors, SHA-256 is a hundred times slower while the upper halves of the vector registers are in use.
#if defined(__x86_64__)
#include <cpuid.h>

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
  wc_FreeRng(&random);
}
#endif
