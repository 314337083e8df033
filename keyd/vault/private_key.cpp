#include "keyd/vault/private_key.h"

#include <algorithm>
#include <array>
#include <new>
#include <type_traits>

#include "keyd/vault/key_der.h"
#include "keyd/vault/key_pem.h"

namespace keyd {
namespace {

using der::Bytes;

word32 size32(Bytes bytes) { return static_cast<word32>(bytes.size()); }

// A slot as a buffer; wiped when it is released.
struct Scratch {
  explicit Scratch(SecureSlots& s) : slots(s), bytes(static_cast<byte*>(s.take(s.slot_size()))) {}
  ~Scratch() { slots.release(bytes); }
  SecureSlots& slots;
  byte* bytes;
};

constexpr word32 kSpkiRoom = 1024;  // RSA-4096 has 550
using SpkiDer = std::array<byte, kSpkiRoom>;
// Each loads the secret into an empty key, computes its public half, and returns the size of the SubjectPublicKeyInfo
// that it wrote to `spki`; 0 or less if it is not a key of this type.
int load(ecc_key& key, const KeyParts& parts, SpkiDer& spki) {
  const int curve = parts.type == KeyType::p256   ? ECC_SECP256R1
                    : parts.type == KeyType::p384 ? ECC_SECP384R1
                                                  : ECC_SECP521R1;
  if (wc_ecc_init(&key) != 0 || static_cast<int>(parts.secret.size()) > wc_ecc_get_curve_size_from_id(curve) ||
      wc_ecc_import_private_key_ex(parts.secret.data(), size32(parts.secret), nullptr, 0, &key, curve) != 0)
    return 0;
  return wc_ecc_make_pub(&key, nullptr) == 0 ? wc_EccPublicKeyToDer(&key, spki.data(), kSpkiRoom, 1) : 0;
}

int load(RsaKey& key, const KeyParts& parts, SpkiDer& spki) {
  word32 at = 0;
  if (wc_InitRsaKey(&key, nullptr) != 0 ||
      wc_RsaPrivateKeyDecode(parts.secret.data(), &at, &key, size32(parts.secret)) != 0)
    return 0;
  return wc_RsaKeyToPublicDer(&key, spki.data(), kSpkiRoom);
}

int load(ed25519_key& key, const KeyParts& parts, SpkiDer& spki) {
  byte point[ED25519_PUB_KEY_SIZE];
  if (wc_ed25519_init(&key) != 0 ||
      wc_ed25519_import_private_only(parts.secret.data(), size32(parts.secret), &key) != 0 ||
      wc_ed25519_make_public(&key, point, sizeof point) != 0 ||
      wc_ed25519_import_public_ex(point, sizeof point, &key, 1) != 0)
    return 0;
  return wc_Ed25519PublicKeyToDer(&key, spki.data(), kSpkiRoom, 1);
}

// Whether the numbers of a key belong together. wolfCrypt does not check, and one wrong number of an RSA key makes it
// sign wrongly or leak a factor (Boneh, DeMillo, Lipton 1997).
bool fits(RsaKey& key) {
  mp_int a, b;
  const auto is_one = [&](int done) { return done == MP_OKAY && mp_isone(&b) == MP_YES; };
  // d mod (prime - 1), and 1/e there (RFC 8017 section 3.2)
  const auto exponent_fits = [&](mp_int& prime, mp_int& exponent) {
    return mp_sub_d(&prime, 1, &a) == MP_OKAY && mp_mod(&key.d, &a, &b) == MP_OKAY && mp_cmp(&b, &exponent) == MP_EQ &&
           is_one(mp_mulmod(&exponent, &key.e, &a, &b));
  };
  const bool good = mp_init(&a) == MP_OKAY && mp_init(&b) == MP_OKAY && mp_mul(&key.p, &key.q, &a) == MP_OKAY &&
                    mp_cmp(&a, &key.n) == MP_EQ && exponent_fits(key.p, key.dP) && exponent_fits(key.q, key.dQ) &&
                    is_one(mp_mulmod(&key.u, &key.q, &key.p, &b));
  mp_forcezero(&a);
  mp_forcezero(&b);
  return good;
}

// The SPKI hash if the certificate compresses the point; only elliptic-curve keys have this second one.
bool spki_of_compressed(ecc_key& key, ipc::Spki& hash) {
  SpkiDer spki;
  const int size = wc_EccPublicKeyToDer_ex(&key, spki.data(), kSpkiRoom, 1, 1);
  return size > 0 && wc_Sha256Hash(spki.data(), static_cast<word32>(size), hash.data()) == 0;
}

// Whether `stated` is the public key `computed`. A point may be compressed (02, 03: x, and the parity of y) and hybrid
// (06, 07), SEC 1 section 2.3.3.
bool same_public(Bytes stated, Bytes computed, bool elliptic) {
  const uint8_t parity = computed.back() & 1;
  if (elliptic && stated[0] == (2 | parity)) computed = computed.first(1 + computed.size() / 2);
  else if (!elliptic || stated[0] != (6 | parity)) return std::ranges::equal(stated, computed);
  return std::ranges::equal(stated.subspan(1), computed.subspan(1));
}

}  // namespace

std::shared_ptr<PrivateKey> PrivateKey::parse(Bytes pem, std::optional<std::string_view> passphrase, SecureSlots& slots,
                                              std::string& problem) {
  std::shared_ptr<PrivateKey> key;
  const auto fail = [&](std::string what) {
    problem = std::move(what);
    return nullptr;
  };
  const PemKey found = find_private_key(der::text_of(pem), problem);
  if (!found.body.data()) return nullptr;
  if (found.encrypted && !passphrase) return fail(kSealed);
  const uint64_t shortages = wolfcrypt_shortages();
  const Scratch scratch(slots);
  if (!scratch.bytes) return fail(kNoLockedMemory);
  // No key that we allow is longer than a slot.
  std::span<uint8_t> der(scratch.bytes, slots.slot_size());
  der = der.first(decode_base64(der::text_of(pem), found.body, der, problem));
  if (found.encrypted && !der.empty()) der = decrypt_pkcs8(der, *passphrase, problem);
  const auto parts = der.empty() ? std::nullopt : take_apart(der, problem);
  if (parts && problem.empty()) {
    key = make(slots);
    if (!key) return fail(kNoLockedMemory);
    if (const std::string what = key->decode(*parts); !what.empty())
      problem = std::string("found ") + parts->name + " " + what;
  }
  if (problem.empty()) return key;
  return fail(wolfcrypt_shortages() == shortages ? std::move(problem) : kNoLockedMemory);
}

template <typename... From>
std::shared_ptr<PrivateKey> PrivateKey::make(SecureSlots& slots, const From&... from) {
  void* slot = slots.take(sizeof(PrivateKey));
  if (!slot) return nullptr;
  return {new (slot) PrivateKey(from...), [&slots](PrivateKey* old) {
            old->~PrivateKey();
            slots.release(old);
          }};
}

// wolfCrypt's structs hold all of a key's numbers (SP_INT_BITS without ALT_ECC_SIZE), and no pointer to them.
std::shared_ptr<PrivateKey> PrivateKey::copy() const { return make(wolfcrypt_slots(), *this); }

PrivateKey::~PrivateKey() {
  if (auto* rsa = std::get_if<RsaKey>(&key_)) wc_FreeRsaKey(rsa);
  if (auto* ecc = std::get_if<ecc_key>(&key_)) wc_ecc_free(ecc);
  if (auto* ed = std::get_if<ed25519_key>(&key_)) wc_ed25519_free(ed);
}

template <typename Key>
const char* PrivateKey::decode_as(const KeyParts& parts) {
  SpkiDer spki;
  Key& key = key_.emplace<Key>();
  const int size = load(key, parts, spki);
  if (size <= 0 || wc_Sha256Hash(spki.data(), static_cast<word32>(size), info_.spki.data()) != 0)
    return "that is broken: `openssl pkey -in FILE -check -noout` must accept it";
  info_.compressed = info_.spki;
  if constexpr (std::is_same_v<Key, RsaKey>)
    if (!fits(key)) return "whose numbers do not belong together: `openssl pkey -in FILE -check -noout` must accept it";
  Bytes in(spki.data(), static_cast<size_t>(size)), info = der::take(in, der::kSequence);
  der::take(info, der::kSequence);
  const Bytes computed = der::take(info, der::kBits).subspan(1);
  for (const Bytes stated : parts.stated)
    if (!stated.empty() && !same_public(stated, computed, std::is_same_v<Key, ecc_key>))
      return "whose public half is another key's; take it out, or get the right one from whoever made the key";
  if constexpr (std::is_same_v<Key, ecc_key>)
    if (!spki_of_compressed(key, info_.compressed)) return "that is broken";
  return "";
}

std::string PrivateKey::decode(const KeyParts& parts) {
  const bool rsa = parts.type == KeyType::rsa, edwards = parts.type == KeyType::ed25519;
  info_.type = parts.type;
  info_.bits = rsa ? parts.rsa_bits : parts.type == KeyType::p384 ? 384 : parts.type == KeyType::p521 ? 521 : 256;
  return rsa ? decode_as<RsaKey>(parts) : edwards ? decode_as<ed25519_key>(parts) : decode_as<ecc_key>(parts);
}

}  // namespace keyd
