// arm64's cryptography without the crypto extension, as a Raspberry Pi 4 runs it: the same results as with it.
#if defined(__aarch64__)
#include <array>
#include <string>

#include "common/json_line.h"
#include "common/tls/sha2.h"
#include "common/tls/wolfcrypt.h"
#include "tests/unit/catch.h"

#include <wolfssl/wolfcrypt/cpuid.h>

namespace {

// While it lives, wolfCrypt believes that the processor has none of these.
struct Without {
  explicit Without(cpuid_flags_t flags) : before(cpuid_get_flags()) { cpuid_select_flags(before & ~flags); }
  ~Without() { cpuid_select_flags(before); }
  cpuid_flags_t before;
};

std::string encrypted(const std::string& text) {
  Aes aes;
  const std::array<uint8_t, 16> key{1, 2, 3}, nonce{4, 5, 6};
  std::array<uint8_t, 16> tag{};
  std::string out(text.size(), '\0');
  REQUIRE(wc_AesInit(&aes, nullptr, INVALID_DEVID) == 0);
  REQUIRE(wc_AesGcmSetKey(&aes, key.data(), key.size()) == 0);
  REQUIRE(wc_AesGcmEncrypt(&aes, reinterpret_cast<uint8_t*>(out.data()), reinterpret_cast<const uint8_t*>(text.data()),
                           static_cast<word32>(text.size()), nonce.data(), 12, tag.data(), tag.size(), nullptr,
                           0) == 0);
  wc_AesFree(&aes);
  return common::hex(out.data(), out.size()) + common::hex(tag.data(), tag.size());
}

}  // namespace

TEST_CASE("on arm64 AES-GCM and SHA-256 have the same results with the crypto extension and without it", "[arm64]") {
  // FIPS 180-4's example.
  const std::string abc = "abc", digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(common::tls::sha256_hex(abc.data(), abc.size()) == digest);
  for (const size_t size : {1, 64, 1000, 20'000}) {
    const std::string text(size, 'x');
    const auto with = encrypted(text), hash = common::tls::sha256_hex(text.data(), size);
    const Without extension(CPUID_AES | CPUID_PMULL | CPUID_SHA256);
    CHECK(common::tls::sha256_hex(abc.data(), abc.size()) == digest);
    CHECK(common::tls::sha256_hex(text.data(), size) == hash);
    CHECK(encrypted(text) == with);
  }
}
#endif
