#include "common/trust/leaf_key.h"

#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <string>

#include "common/trust/text.h"

namespace trust {
namespace {

constexpr int kMostRsaBits = 4096;  // SP_INT_BITS in wolfSSL's settings; the security level sets the minimum

std::string curve_of(const EVP_PKEY* key) {
  std::array<char, 80> name{};
  return EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) == 1 ? name.data() : "";
}

bool can_sign_in_tls(const EVP_PKEY* key, const std::string& curve) {
  if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) return EVP_PKEY_get_bits(key) <= kMostRsaBits;
  if (EVP_PKEY_is_a(key, "EC")) return curve == "prime256v1" || curve == "secp384r1" || curve == "secp521r1";
  return EVP_PKEY_is_a(key, "ED25519");
}

// "an RSA key of 8192 bits", "a key on the curve secp256k1", "an ED448 key"
std::string kind_of(const EVP_PKEY* key, const std::string& curve) {
  if (!key) return "a key of an unknown kind";
  if (EVP_PKEY_is_a(key, "EC"))
    return curve.empty() ? "a key on a curve without a name" : "a key on the curve " + curve;
  const char* type = EVP_PKEY_get0_type_name(key);
  const std::string name = type ? type : "an unknown kind of";
  if (name.starts_with("RSA")) return "an " + name + " key of " + std::to_string(EVP_PKEY_get_bits(key)) + " bits";
  return "a key of the kind " + name;
}

}  // namespace

std::optional<Refusal> unusable_key(X509* leaf) {
  const EVP_PKEY* key = X509_get0_pubkey(leaf);
  const std::string curve = key && EVP_PKEY_is_a(key, "EC") ? curve_of(key) : "";
  if (key && can_sign_in_tls(key, curve)) return std::nullopt;
  return Refusal{X509_V_ERR_APPLICATION_VERIFICATION,
                 0,
                 subject_text(leaf),
                 "has " + kind_of(key, curve) + ", which TLS can't use here",
                 "have it issued for a P-256, P-384, P-521, Ed25519 or RSA key (2048 to 4096 bits)",
                 common::tls::Alert::unsupported_certificate};
}

}  // namespace trust
