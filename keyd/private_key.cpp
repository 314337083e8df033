#include "keyd/private_key.h"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

namespace keyd {
namespace {

using Bytes = std::span<const uint8_t>;
constexpr unsigned kLeastRsaBits = 2048, kMostRsaBits = 4096;

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// The PEM block of the one private key in a file's text; empty and `problem` if there is no such.
std::string_view find_private_key(std::string_view text, std::string& problem) {
  constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ", kDashes = "-----";
  std::string_view block, block_label;
  std::string others;
  const auto fail = [&](std::string what) {
    problem = std::move(what);
    return std::string_view();
  };
  for (size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin, at + 1)) {
    const size_t from = at + kBegin.size(), to = text.find(kDashes, from);
    if (to == text.npos || to - from > 40) return fail("it is not PEM: a BEGIN line is broken");
    const std::string_view label = text.substr(from, to - from);
    const size_t end = text.find(kDashes, to + kDashes.size());
    if (end == text.npos || !text.substr(end).starts_with(kEnd))
      return fail("it is cut off: \"" + std::string(label) + "\" has no END line");
    if (!label.ends_with("PRIVATE KEY")) {
      others.append(others.empty() ? "" : ", ").append(label);
      continue;
    }
    if (!block.empty()) return fail("there are two private keys in it; keep one");
    block_label = label;
    block = text.substr(at, text.find('\n', end) - at);
  }
  if (block_label == "ENCRYPTED PRIVATE KEY" || block.find("Proc-Type: 4,ENCRYPTED") != block.npos)
    return fail("the key is encrypted; store it without a passphrase: `openssl pkey -in FILE -out NEW`");
  if (block_label == "PRIVATE KEY" || block_label == "EC PRIVATE KEY" || block_label == "RSA PRIVATE KEY") return block;
  if (!block.empty())
    return fail("found \"" + std::string(block_label) +
                "\"; allowed are RSA, ECDSA and Ed25519 as PKCS#8, SEC1 or PKCS#1");
  if (!others.empty()) return fail("there is no private key in it, but: " + others);
  if (text.empty()) return fail("it is empty");
  if (text[0] == 0x30)  // an ASN.1 SEQUENCE
    return fail("it is binary (DER); convert it to PEM: `openssl pkey -inform DER -in FILE -out NEW`");
  return fail("it is not PEM: there is no \"-----BEGIN … PRIVATE KEY-----\" in it");
}

// What a DER key is that none of our decoders took, by the algorithm's object identifier near its start.
std::string foreign_algorithm(Bytes der) {
  using namespace std::string_view_literals;
  static constexpr std::array<std::pair<std::string_view, const char*>, 8> kKnown{{
      {"\x06\x07\x2a\x86\x48\xce\x38\x04\x01"sv, "a DSA key"},
      {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01"sv, "a Diffie-Hellman key"},
      {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"sv, "an RSASSA-PSS key"},
      {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv, "an RSA key that is broken or too short"},
      {"\x06\x03\x2b\x65\x6e"sv, "an X25519 key"},
      {"\x06\x03\x2b\x65\x6f"sv, "an X448 key"},
      {"\x06\x03\x2b\x65\x71"sv, "an Ed448 key"},
      {"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"sv, "an elliptic-curve key that is broken or of another curve"},
  }};
  const std::string_view head = text_of(der.first(std::min<size_t>(der.size(), 40)));
  for (const auto& [oid, name] : kKnown)
    if (head.find(oid) != head.npos) return name;
  return "a key that is broken or of another algorithm or curve";
}

struct DerOwner {
  DerBuffer* der = nullptr;
  ~DerOwner() { wc_FreeDer(&der); }  // wipes
};

constexpr word32 kSpkiRoom = 1024;  // RSA-4096 has 550
using SpkiDer = std::array<byte, kSpkiRoom>;
word32 size32(Bytes bytes) { return static_cast<word32>(bytes.size()); }

// Each loads `der` into an empty key, describes it, and returns the size of the SubjectPublicKeyInfo that it
// wrote to `spki`; 0 or less if `der` is no key of this sort.
int load(ecc_key& key, Bytes der, KeyInfo& info, SpkiDer& spki) {
  word32 at = 0;
  if (wc_ecc_init(&key) != 0 || wc_EccPrivateKeyDecode(der.data(), &at, &key, size32(der)) != 0) return 0;
  switch (key.dp->id) {
    case ECC_SECP256R1: info = {KeyType::p256, 256, {}}; break;
    case ECC_SECP384R1: info = {KeyType::p384, 384, {}}; break;
    case ECC_SECP521R1: info = {KeyType::p521, 521, {}}; break;
    default: return 0;
  }
  return wc_ecc_make_pub(&key, nullptr) == 0 ? wc_EccPublicKeyToDer(&key, spki.data(), kSpkiRoom, 1) : 0;
}

int load(RsaKey& key, Bytes der, KeyInfo& info, SpkiDer& spki) {
  word32 at = 0;
  if (wc_InitRsaKey(&key, nullptr) != 0 || wc_RsaPrivateKeyDecode(der.data(), &at, &key, size32(der)) != 0) return 0;
  info = {KeyType::rsa, static_cast<unsigned>(mp_count_bits(&key.n)), {}};
  return wc_RsaKeyToPublicDer(&key, spki.data(), kSpkiRoom);
}

int load(ed25519_key& key, Bytes der, KeyInfo& info, SpkiDer& spki) {
  word32 at = 0;
  byte point[ED25519_PUB_KEY_SIZE];
  if (wc_ed25519_init(&key) != 0 || wc_Ed25519PrivateKeyDecode(der.data(), &at, &key, size32(der)) != 0 ||
      wc_ed25519_make_public(&key, point, sizeof point) != 0 ||
      wc_ed25519_import_public_ex(point, sizeof point, &key, 1) != 0)
    return 0;
  info = {KeyType::ed25519, 256, {}};
  return wc_Ed25519PublicKeyToDer(&key, spki.data(), kSpkiRoom, 1);
}

}  // namespace

std::shared_ptr<PrivateKey> PrivateKey::parse(Bytes pem, SecureSlots& slots, std::string& problem) {
  const std::string_view block = find_private_key(text_of(pem), problem);
  if (block.empty()) return nullptr;
  void* slot = slots.take(sizeof(PrivateKey));
  if (!slot) {
    problem = "there is no locked memory left for it";
    return nullptr;
  }
  const std::shared_ptr<PrivateKey> key(new (slot) PrivateKey, [&slots](PrivateKey* old) {
    old->~PrivateKey();
    slots.release(old);
  });
  DerOwner owner;
  if (block.size() > slots.slot_size() ||  // no key that we allow is as long
      wc_PemToDer(reinterpret_cast<const byte*>(block.data()), static_cast<long>(block.size()), PRIVATEKEY_TYPE,
                  &owner.der, nullptr, nullptr, nullptr) != 0) {
    problem = "its base64 is broken or too long";
    return nullptr;
  }
  const Bytes der(owner.der->buffer, owner.der->length);
  if (!key->decode(der))
    problem = "found " + foreign_algorithm(der) + "; allowed are RSA, ECDSA on P-256, P-384, P-521, and Ed25519";
  else if (const auto bits = key->info_.bits;
           key->info_.type == KeyType::rsa && (bits < kLeastRsaBits || bits > kMostRsaBits))
    problem = "found an RSA key of " + std::to_string(bits) + " bits; allowed are 2048 to 4096";
  return problem.empty() ? key : nullptr;
}

void PrivateKey::clear() {
  if (auto* rsa = std::get_if<RsaKey>(&key_)) wc_FreeRsaKey(rsa);
  if (auto* ecc = std::get_if<ecc_key>(&key_)) wc_ecc_free(ecc);
  if (auto* ed = std::get_if<ed25519_key>(&key_)) wc_ed25519_free(ed);
  key_.emplace<std::monostate>();
}

template <typename Key>
bool PrivateKey::decode_as(Bytes der) {
  clear();
  SpkiDer spki;
  const int size = load(key_.emplace<Key>(), der, info_, spki);
  return size > 0 && wc_Sha256Hash(spki.data(), static_cast<word32>(size), info_.spki.data()) == 0;
}

// By trial, as the format need not say the algorithm: each decoder refuses the others' keys.
bool PrivateKey::decode(Bytes der) {
  return decode_as<ecc_key>(der) || decode_as<RsaKey>(der) || decode_as<ed25519_key>(der);
}

}  // namespace keyd
