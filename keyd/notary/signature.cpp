#include "keyd/notary/signature.h"

#include <algorithm>
#include <array>

#include "keyd/notary/wolfssl.h"

namespace keyd {
namespace {

using ipc::Scheme;

enum class Family { rsa_pkcs1, rsa_pss, ecdsa, ed25519 };
struct Facts {
  Scheme scheme;
  Family family;
  wc_HashType hash;
  int curve;  // that TLS 1.3 ties the scheme to
};
constexpr Facts kFacts[] = {
    {Scheme::rsa_pkcs1_sha256, Family::rsa_pkcs1, WC_HASH_TYPE_SHA256, ECC_CURVE_INVALID},
    {Scheme::rsa_pkcs1_sha384, Family::rsa_pkcs1, WC_HASH_TYPE_SHA384, ECC_CURVE_INVALID},
    {Scheme::rsa_pkcs1_sha512, Family::rsa_pkcs1, WC_HASH_TYPE_SHA512, ECC_CURVE_INVALID},
    {Scheme::rsa_pss_rsae_sha256, Family::rsa_pss, WC_HASH_TYPE_SHA256, ECC_CURVE_INVALID},
    {Scheme::rsa_pss_rsae_sha384, Family::rsa_pss, WC_HASH_TYPE_SHA384, ECC_CURVE_INVALID},
    {Scheme::rsa_pss_rsae_sha512, Family::rsa_pss, WC_HASH_TYPE_SHA512, ECC_CURVE_INVALID},
    {Scheme::ecdsa_sha256, Family::ecdsa, WC_HASH_TYPE_SHA256, ECC_SECP256R1},
    {Scheme::ecdsa_sha384, Family::ecdsa, WC_HASH_TYPE_SHA384, ECC_SECP384R1},
    {Scheme::ecdsa_sha512, Family::ecdsa, WC_HASH_TYPE_SHA512, ECC_SECP521R1},
    {Scheme::ed25519, Family::ed25519, WC_HASH_TYPE_NONE, ECC_CURVE_INVALID},
};

constexpr int kLeastRsaBits = 2048;
constexpr const char* kMisfit = "the server's signature scheme does not fit its key";
constexpr const char* kWrong = "the server's signature is not of this handshake";

word32 size32(Bytes bytes) { return static_cast<word32>(bytes.size()); }

// One of wolfCrypt's public keys, decoded from SubjectPublicKeyInfo.
template <class Key, int (*Init)(Key*), auto Free, int (*Decode)(const byte*, word32*, Key*, word32)>
class PublicKey {
 public:
  explicit PublicKey(Bytes spki) {
    word32 at = 0;
    initialised_ = Init(&key_) == 0;
    good_ = initialised_ && Decode(spki.data(), &at, &key_, size32(spki)) == 0;
  }
  ~PublicKey() {
    if (initialised_) Free(&key_);
  }
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;
  explicit operator bool() const { return good_; }
  Key* get() { return &key_; }

 private:
  Key key_;
  bool initialised_ = false, good_ = false;
};
int init_rsa(RsaKey* key) { return wc_InitRsaKey(key, nullptr); }
using RsaPublic = PublicKey<RsaKey, init_rsa, wc_FreeRsaKey, wc_RsaPublicKeyDecode>;
int decode_ecc(const byte* der, word32* at, ecc_key* key, word32 size) {
  return wc_EccPublicKeyDecode(der, at, key, size);
}
using EccPublic = PublicKey<ecc_key, wc_ecc_init, wc_ecc_free, decode_ecc>;
using EdPublic = PublicKey<ed25519_key, wc_ed25519_init, wc_ed25519_free, wc_Ed25519PublicKeyDecode>;

const char* rsa(const Facts& facts, Bytes spki, Bytes digest, Bytes signature) {
  RsaPublic key(spki);
  if (!key) return kMisfit;
  if (wc_RsaEncryptSize(key.get()) * 8 < kLeastRsaBits) return "the server's RSA key has less than 2048 bits";
  std::array<uint8_t, 1024> opened;
  // wolfCrypt writes to no input of these.
  auto* in = const_cast<byte*>(signature.data());
  if (facts.family == Family::rsa_pss)
    return wc_RsaPSS_VerifyCheck(in, size32(signature), opened.data(), static_cast<word32>(opened.size()),
                                 const_cast<byte*>(digest.data()), size32(digest), facts.hash, wc_hash2mgf(facts.hash),
                                 key.get()) > 0
               ? nullptr
               : kWrong;
  std::array<uint8_t, WC_MAX_DIGEST_SIZE + 32> info;
  const size_t info_size = wc_EncodeSignature(info.data(), digest.data(), size32(digest), wc_HashGetOID(facts.hash));
  const int size =
      wc_RsaSSL_Verify(in, size32(signature), opened.data(), static_cast<word32>(opened.size()), key.get());
  return size > 0 && info_size > 0 &&
                 std::ranges::equal(std::span(opened).first(static_cast<size_t>(size)),
                                    std::span(info).first(info_size))
             ? nullptr
             : kWrong;
}

const char* ecdsa(bool tls13, const Facts& facts, Bytes spki, Bytes digest, Bytes signature) {
  EccPublic key(spki);
  if (!key) return kMisfit;
  const int curve = wc_ecc_get_curve_id(key.get()->idx);
  if (curve != ECC_SECP256R1 && curve != ECC_SECP384R1 && curve != ECC_SECP521R1) return kMisfit;
  if (tls13 && curve != facts.curve) return kMisfit;
  int verified = 0;
  return wc_ecc_verify_hash(signature.data(), size32(signature), digest.data(), size32(digest), &verified, key.get()) ==
                     0 &&
                 verified == 1
             ? nullptr
             : kWrong;
}

const char* ed25519(Bytes spki, Bytes message, Bytes signature) {
  EdPublic key(spki);
  if (!key) return kMisfit;
  int verified = 0;
  return wc_ed25519_verify_msg(signature.data(), size32(signature), message.data(), size32(message), &verified,
                               key.get()) == 0 &&
                 verified == 1
             ? nullptr
             : kWrong;
}

}  // namespace

bool hash_of(Bytes bytes, size_t size, std::span<uint8_t> out) {
  return wc_Hash(size == 48 ? WC_HASH_TYPE_SHA384 : WC_HASH_TYPE_SHA256, bytes.data(), size32(bytes), out.data(),
                 static_cast<word32>(size)) == 0;
}

const char* check_signature(bool tls13, Scheme scheme, Bytes spki, Bytes message, Bytes signature) {
  const auto* facts = std::ranges::find(kFacts, scheme, &Facts::scheme);
  if (facts == std::end(kFacts)) return "the server's signature has an unknown scheme";
  if (tls13 && facts->family == Family::rsa_pkcs1) return kMisfit;
  if (facts->family == Family::ed25519) return ed25519(spki, message, signature);
  std::array<uint8_t, WC_MAX_DIGEST_SIZE> buffer;
  const auto size = static_cast<word32>(wc_HashGetDigestSize(facts->hash));
  if (wc_Hash(facts->hash, message.data(), size32(message), buffer.data(), size) != 0) return "out of memory";
  const Bytes digest = Bytes(buffer).first(size);
  return facts->family == Family::ecdsa ? ecdsa(tls13, *facts, spki, digest, signature)
                                        : rsa(*facts, spki, digest, signature);
}

}  // namespace keyd
