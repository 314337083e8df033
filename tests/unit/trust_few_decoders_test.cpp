// A certificate parsed with few decoders is the one that d2i_X509 parses.
#include "common/trust/few_decoders.h"

#include <openssl/err.h>

#include "tests/pki/certificates.h"
#include "tests/unit/catch.h"

namespace {

using namespace pki;

trust::Certificate as_openssl_does(std::span<const uint8_t> der) {
  const unsigned char* at = der.data();
  trust::Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  return at == der.data() + der.size() ? std::move(certificate) : nullptr;
}

// Whether both parse it or neither, with the same content, and the same key or none.
bool parsed_alike(std::span<const uint8_t> der) {
  const trust::Certificate ours = trust::parse_certificate(der), theirs = as_openssl_does(der);
  ERR_clear_error();
  if (!ours || !theirs) return !ours && !theirs;
  const EVP_PKEY *our_key = X509_get0_pubkey(ours.get()), *their_key = X509_get0_pubkey(theirs.get());
  ERR_clear_error();
  if (X509_cmp(ours.get(), theirs.get()) != 0) return false;
  return our_key && their_key ? EVP_PKEY_eq(our_key, their_key) == 1 : !our_key && !their_key;
}

}  // namespace

TEST_CASE("trust few decoders: a key of any kind is decoded, the unusual ones as well") {
  const Identity ca = root("Root", 1);
  std::vector<std::pair<std::string, Key>> keys;
  for (const char* kind : {"P-256", "P-384", "P-521", "P-224", "secp256k1", "brainpoolP256r1", "P-256:compressed",
                           "RSA:2048", "RSA-PSS:2048", "ED25519", "ED448"})
    keys.emplace_back(kind, key(kind));
  for (const char* kind : {"X25519", "X448", "SM2"})
    keys.emplace_back(kind, Key(EVP_PKEY_Q_keygen(nullptr, nullptr, kind), EVP_PKEY_free));
  for (const auto& [kind, own] : keys) {
    INFO(kind);
    REQUIRE(own);
    const Der der = issue(ca, {.subject = cn("dev1")}, own).der();
    CHECK(parsed_alike(der));
    const trust::Certificate certificate = trust::parse_certificate(der);
    REQUIRE(certificate);
    REQUIRE(X509_get0_pubkey(certificate.get()));
    CHECK(X509_verify(certificate.get(), ca.key.get()) == 1);
  }
}

TEST_CASE("trust few decoders: a damaged certificate is judged as d2i_X509 does, whichever byte is wrong") {
  const Identity ca = root("Root", 1);
  for (const char* kind : {"P-256", "RSA:2048", "RSA-PSS:2048", "ED25519", "ED448"}) {
    const Der whole = issue(ca, {.subject = cn("dev1")}, key(kind)).der();
    for (size_t i = 0; i < whole.size(); i++) {
      INFO(kind << ", byte " << i);
      Der changed = whole;
      changed[i] ^= static_cast<uint8_t>(1 << (i % 8));
      REQUIRE(parsed_alike(changed));
      REQUIRE(parsed_alike(std::span(whole).first(i)));
    }
    Der longer = whole;
    longer.push_back(0);
    CHECK_FALSE(trust::parse_certificate(longer));
  }
}
