// The witness, and proof that it does not accept everything.
#include "keyd_openssl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <map>
#include <stdexcept>
#include <vector>

#include "catch.h"

namespace witness {
namespace {

EVP_PKEY* of(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }

EVP_PKEY* make(const std::string& type) {
  if (type.starts_with("RSA:"))
    return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(std::stoul(type.substr(4))));
  if (type == "P-256" || type == "P-384" || type == "P-521" || type == "secp256k1")
    return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", type.c_str());
  if (type != "DSA") return EVP_PKEY_Q_keygen(nullptr, nullptr, type.c_str());
  EVP_PKEY *parameters = nullptr, *key = nullptr;
  std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(EVP_PKEY_CTX_new_id(EVP_PKEY_DSA, nullptr),
                                                                 EVP_PKEY_CTX_free);
  EVP_PKEY_paramgen_init(context.get());
  EVP_PKEY_CTX_set_dsa_paramgen_bits(context.get(), 1024);
  EVP_PKEY_paramgen(context.get(), &parameters);
  context.reset(EVP_PKEY_CTX_new(parameters, nullptr));
  EVP_PKEY_keygen_init(context.get());
  EVP_PKEY_keygen(context.get(), &key);
  EVP_PKEY_free(parameters);
  return key;
}

const EVP_MD* hash_of(ipc::Scheme scheme) {
  switch (scheme) {
    case ipc::Scheme::rsa_pkcs1_sha256:
    case ipc::Scheme::ecdsa_sha256:
    case ipc::Scheme::rsa_pss_rsae_sha256: return EVP_sha256();
    case ipc::Scheme::rsa_pkcs1_sha384:
    case ipc::Scheme::ecdsa_sha384:
    case ipc::Scheme::rsa_pss_rsae_sha384: return EVP_sha384();
    case ipc::Scheme::rsa_pkcs1_sha512:
    case ipc::Scheme::ecdsa_sha512:
    case ipc::Scheme::rsa_pss_rsae_sha512: return EVP_sha512();
    case ipc::Scheme::ed25519: break;
  }
  return nullptr;
}

bool is_pss(ipc::Scheme scheme) { return static_cast<uint16_t>(scheme) >> 8 == 8 && scheme != ipc::Scheme::ed25519; }

ipc::Spki spki_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  ipc::Spki digest{};
  EVP_Digest(der, static_cast<size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  return digest;
}

void set_padding(EVP_PKEY_CTX* context, EVP_PKEY* key, ipc::Scheme scheme) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return;
  EVP_PKEY_CTX_set_rsa_padding(context, is_pss(scheme) ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING);
  if (is_pss(scheme)) EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST);
}

}  // namespace

Key Key::generate(const std::string& type) {
  static std::map<std::string, Key> kept;  // these take long to generate
  const bool slow = type.starts_with("RSA") || type == "DSA";
  if (slow && kept.contains(type)) return kept[type];
  Key key;
  key.key_ = std::shared_ptr<void>(make(type), [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); });
  if (!key.key_) throw std::runtime_error("OpenSSL can't make a key of type " + type);
  if (slow) kept[type] = key;
  return key;
}

std::string Key::text(Form form) const {
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  EVP_PKEY* key = of(key_);
  const auto* cipher = EVP_aes_256_cbc();
  int ok = 0;
  switch (form) {
    case Form::pkcs8: ok = PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr); break;
    case Form::traditional:
      ok = PEM_write_bio_PrivateKey_traditional(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
      break;
    case Form::encrypted_pkcs8:
      ok = PEM_write_bio_PKCS8PrivateKey(out.get(), key, cipher, kPassphrase, sizeof kPassphrase - 1, nullptr, nullptr);
      break;
    case Form::encrypted_traditional:
      ok = PEM_write_bio_PrivateKey_traditional(out.get(), key, cipher,
                                                reinterpret_cast<const unsigned char*>(kPassphrase),
                                                sizeof kPassphrase - 1, nullptr, nullptr);
      break;
    case Form::der: ok = i2d_PrivateKey_bio(out.get(), key); break;
    case Form::public_key: ok = PEM_write_bio_PUBKEY(out.get(), key); break;
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  if (ok != 1 || size <= 0) throw std::runtime_error("OpenSSL can't write that key");
  return {data, static_cast<size_t>(size)};
}

namespace {

std::string written(BIO* out) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  if (size <= 0) throw std::runtime_error("OpenSSL can't write that key");
  return {data, static_cast<size_t>(size)};
}

}  // namespace

std::string Key::encrypted(const char* cipher, const char* hash) const {
  const std::string hmac = std::string("hmacWith") + hash;
  std::unique_ptr<PKCS8_PRIV_KEY_INFO, void (*)(PKCS8_PRIV_KEY_INFO*)> plain(EVP_PKEY2PKCS8(of(key_)),
                                                                             PKCS8_PRIV_KEY_INFO_free);
  X509_ALGOR* scheme =
      PKCS5_pbe2_set_iv(EVP_get_cipherbyname(cipher), 2048, nullptr, 0, nullptr, OBJ_txt2nid(hmac.c_str()));
  if (!scheme) throw std::runtime_error("OpenSSL can't encrypt that way");
  std::unique_ptr<X509_SIG, void (*)(X509_SIG*)> sealed(
      PKCS8_set0_pbe(kPassphrase, sizeof kPassphrase - 1, plain.get(), scheme), X509_SIG_free);
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  if (sealed) PEM_write_bio_PKCS8(out.get(), sealed.get());
  return written(out.get());
}

std::string Key::spelled_out() const {
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> copy(EVP_PKEY_dup(of(key_)), EVP_PKEY_free);
  EVP_PKEY_set_utf8_string_param(copy.get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(out.get(), copy.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return written(out.get());
}

ipc::Spki Key::spki() const { return spki_of(of(key_)); }

ipc::Spki Key::compressed_spki() const {
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> copy(EVP_PKEY_dup(of(key_)), EVP_PKEY_free);
  EVP_PKEY_set_utf8_string_param(copy.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed");
  return spki_of(copy.get());
}

std::string Key::number(const char* parameter) const {
  std::string bytes(1024, '\0');
  auto* out = reinterpret_cast<unsigned char*>(bytes.data());
  size_t size = bytes.size();
  const bool is_public = std::string(parameter) == "pub";
  int ok = 0;
  if (EVP_PKEY_is_a(of(key_), "ED25519")) {
    ok = is_public ? EVP_PKEY_get_raw_public_key(of(key_), out, &size)
                   : EVP_PKEY_get_raw_private_key(of(key_), out, &size);
  } else if (is_public) {
    ok = EVP_PKEY_get_octet_string_param(of(key_), parameter, out, size, &size);
  } else {
    BIGNUM* number = nullptr;
    ok = EVP_PKEY_get_bn_param(of(key_), parameter, &number);
    if (ok == 1) size = static_cast<size_t>(BN_bn2bin(number, out));
    BN_clear_free(number);
  }
  if (ok != 1) throw std::runtime_error(std::string("OpenSSL has no ") + parameter);
  bytes.resize(size);
  return bytes;
}

std::optional<ipc::Spki> read_private_key(const std::string& pem, const std::string& passphrase) {
  std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  std::string secret = passphrase;
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, secret.data()),
                                                     EVP_PKEY_free);
  if (!key) return std::nullopt;
  std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr), EVP_PKEY_CTX_free);
  if (EVP_PKEY_check(context.get()) != 1) return std::nullopt;
  if (EVP_PKEY_is_a(key.get(), "EC"))
    EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
  return spki_of(key.get());
}

bool Key::verifies(ipc::Scheme scheme, Bytes message, Bytes signature) const {
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* key_context = nullptr;
  if (EVP_DigestVerifyInit(context.get(), &key_context, hash_of(scheme), nullptr, of(key_)) != 1) return false;
  set_padding(key_context, of(key_), scheme);
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
}

bool Key::verifies_digest(ipc::Scheme scheme, Bytes digest, Bytes signature) const {
  std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(EVP_PKEY_CTX_new(of(key_), nullptr),
                                                                 EVP_PKEY_CTX_free);
  if (EVP_PKEY_verify_init(context.get()) != 1) return false;
  set_padding(context.get(), of(key_), scheme);
  EVP_PKEY_CTX_set_signature_md(context.get(), hash_of(scheme));
  return EVP_PKEY_verify(context.get(), signature.data(), signature.size(), digest.data(), digest.size()) == 1;
}

std::string certificate(const Key& key) {
  const std::string pem = key.text(Form::pkcs8);
  std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> pkey(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr),
                                                      EVP_PKEY_free);
  std::unique_ptr<X509, void (*)(X509*)> x509(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
  X509_set_pubkey(x509.get(), pkey.get());
  X509_sign(x509.get(), pkey.get(), EVP_sha256());
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(out.get(), x509.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string sha256_hex(const std::string& text) {
  unsigned char digest[32];
  EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha256(), nullptr);
  std::string hex;
  for (const unsigned char byte : digest) {
    char pair[3];
    snprintf(pair, sizeof pair, "%02x", byte);
    hex += pair;
  }
  return hex;
}

}  // namespace witness

TEST_CASE("the witness refuses a changed signature and another key", "[keyd]") {
  const auto key = witness::Key::generate("P-256"), other = witness::Key::generate("P-256");
  const std::string pem = key.text(witness::Form::pkcs8);
  std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> pkey(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr),
                                                      EVP_PKEY_free);
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const std::vector<uint8_t> message(100, 7);
  std::vector<uint8_t> signature(200);
  size_t size = signature.size();
  REQUIRE(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, pkey.get()) == 1);
  REQUIRE(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
  signature.resize(size);
  REQUIRE(key.verifies(ipc::Scheme::ecdsa_sha256, message, signature));
  CHECK_FALSE(other.verifies(ipc::Scheme::ecdsa_sha256, message, signature));
  CHECK_FALSE(key.verifies(ipc::Scheme::ecdsa_sha384, message, signature));
  signature.back() ^= 1;
  CHECK_FALSE(key.verifies(ipc::Scheme::ecdsa_sha256, message, signature));
}
