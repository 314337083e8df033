#include "keyd/notary/signature.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/tls/sha2.h"
#include "common/tls/wolfcrypt.h"

namespace keyd {
namespace {

using common::tls::Family;
using common::tls::KeyType;
using common::tls::SchemeFacts;

constexpr int kLeastRsaBits = 2048;
constexpr const char* kMisfit = "signature scheme does not fit its key";
constexpr const char* kWrong = "signature is not for this handshake";

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

const char* rsa(const SchemeFacts& scheme, Bytes spki, Bytes digest, Bytes signature) {
  RsaPublic key(spki);
  if (!key) return kMisfit;
  if (wc_RsaEncryptSize(key.get()) * 8 < kLeastRsaBits) return "RSA key has less than 2048 bits";
  const wc_HashType hash = common::tls::hash_type(scheme.hash_size);
  std::array<uint8_t, 1024> opened;
  // wolfCrypt does not write to these inputs.
  auto* in = const_cast<byte*>(signature.data());
  if (scheme.family == Family::rsa_pss)
    return wc_RsaPSS_VerifyCheck(in, size32(signature), opened.data(), static_cast<word32>(opened.size()),
                                 const_cast<byte*>(digest.data()), size32(digest), hash, wc_hash2mgf(hash),
                                 key.get()) > 0
               ? nullptr
               : kWrong;
  std::array<uint8_t, WC_MAX_DIGEST_SIZE + 32> info;
  const size_t info_size = wc_EncodeSignature(info.data(), digest.data(), size32(digest), wc_HashGetOID(hash));
  const int size =
      wc_RsaSSL_Verify(in, size32(signature), opened.data(), static_cast<word32>(opened.size()), key.get());
  return size > 0 && info_size > 0 &&
                 std::ranges::equal(std::span(opened).first(static_cast<size_t>(size)),
                                    std::span(info).first(info_size))
             ? nullptr
             : kWrong;
}

std::optional<KeyType> type_of(const ecc_key& key) {
  switch (wc_ecc_get_curve_id(key.idx)) {
    case ECC_SECP256R1: return KeyType::p256;
    case ECC_SECP384R1: return KeyType::p384;
    case ECC_SECP521R1: return KeyType::p521;
    default: return std::nullopt;
  }
}

const char* ecdsa(bool tls13, const SchemeFacts& scheme, Bytes spki, Bytes digest, Bytes signature) {
  EccPublic key(spki);
  const auto type = key ? type_of(*key.get()) : std::nullopt;
  if (!type || !fits(scheme, *type, tls13)) return kMisfit;
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

const char* check_signature(bool tls13, ipc::Scheme scheme, Bytes spki, Bytes message, Bytes signature) {
  const SchemeFacts facts = facts_of(scheme);
  if (facts.family == Family::none) return "signature has an unknown scheme";
  if (!fits(facts, facts.key, tls13)) return kMisfit;  // a scheme that TLS 1.3 allows for no key
  if (facts.family == Family::ed25519) return ed25519(spki, message, signature);
  std::array<uint8_t, WC_MAX_DIGEST_SIZE> buffer;
  const auto digest = std::span(buffer).first(facts.hash_size);
  if (!common::tls::sha2(message, digest)) return kUnchecked;
  return facts.family == Family::ecdsa ? ecdsa(tls13, facts, spki, digest, signature)
                                       : rsa(facts, spki, digest, signature);
}

}  // namespace keyd
