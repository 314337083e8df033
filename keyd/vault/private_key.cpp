#include "keyd/vault/private_key.h"

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <string_view>

namespace keyd {
namespace {

using Bytes = std::span<const uint8_t>;
constexpr unsigned kLeastRsaBits = 2048, kMostRsaBits = 4096;

word32 size32(Bytes bytes) { return static_cast<word32>(bytes.size()); }
std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

constexpr std::string_view kEncrypted = "ENCRYPTED PRIVATE KEY";
constexpr char kConvert[] = "`openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in FILE -out NEW`";

struct PemBlock {
  std::string_view label, body;  // body: base64
};

// The one private key in a file's text; empty and `problem` if there is no such.
PemBlock find_private_key(std::string_view text, std::string& problem) {
  constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ", kDashes = "-----";
  PemBlock block;
  std::string_view other;
  const auto fail = [&](std::string what) {
    problem = std::move(what);
    return PemBlock();
  };
  for (size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin, at + 1)) {
    const size_t from = at + kBegin.size(), to = text.find(kDashes, from);
    if (to == text.npos || to - from > 40) return fail("it is not PEM: a BEGIN line is broken");
    const std::string_view label = text.substr(from, to - from);
    const size_t end = text.find(kDashes, to + kDashes.size());
    if (end == text.npos || !text.substr(end).starts_with(kEnd))
      return fail("it is cut off: \"" + std::string(label) + "\" has no END line");
    if (!label.ends_with("PRIVATE KEY")) {
      other = label;
      continue;
    }
    if (!block.label.empty()) return fail("there are two private keys in it; keep one");
    const size_t body = to + kDashes.size();
    block = {label, text.substr(body, end - body)};
  }
  if (block.body.find("Proc-Type: 4,ENCRYPTED") != text.npos)
    return fail(std::string("it is encrypted in a format of old; convert it to PKCS#8: ") + kConvert);
  if (block.label == kEncrypted || block.label == "PRIVATE KEY" || block.label == "EC PRIVATE KEY" ||
      block.label == "RSA PRIVATE KEY")
    return block;
  if (!block.label.empty())
    return fail("found \"" + std::string(block.label) +
                "\"; allowed are RSA, ECDSA and Ed25519 as PKCS#8, SEC1 or PKCS#1");
  if (!other.empty()) return fail("there is no private key in it, but a " + std::string(other));
  if (text.empty()) return fail("it is empty");
  if (text[0] == 0x30)  // an ASN.1 SEQUENCE
    return fail("it is binary (DER); convert it to PEM: `openssl pkey -inform DER -in FILE -out NEW`");
  return fail("it is not PEM: there is no \"-----BEGIN … PRIVATE KEY-----\" in it");
}

// What the key says that it is. wolfCrypt must not guess: it takes a secp256k1 key for P-256 and X25519 for Ed25519.
struct Algorithm {
  std::string_view oid;  // DER, RFC 5280 and its kin
  const char* name;
  std::optional<KeyType> type;  // none: not allowed
};
using namespace std::string_view_literals;
constexpr Algorithm kAlgorithms[] = {
    {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv, "an RSA key", KeyType::rsa},
    {"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"sv, "a P-256 key", KeyType::p256},
    {"\x06\x05\x2b\x81\x04\x00\x22"sv, "a P-384 key", KeyType::p384},
    {"\x06\x05\x2b\x81\x04\x00\x23"sv, "a P-521 key", KeyType::p521},
    {"\x06\x03\x2b\x65\x70"sv, "an Ed25519 key", KeyType::ed25519},
    {"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"sv, "an elliptic-curve key of another curve", {}},
    {"\x06\x07\x2a\x86\x48\xce\x38\x04\x01"sv, "a DSA key", {}},
    {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"sv, "an RSASSA-PSS key", {}},
    {"\x06\x03\x2b\x65\x6e"sv, "an X25519 key", {}},
    {"\x06\x03\x2b\x65\x71"sv, "an Ed448 key", {}},
};

Algorithm algorithm_of(std::string_view label, Bytes der) {
  if (label == "RSA PRIVATE KEY") return kAlgorithms[0];
  // PKCS#8 begins with its algorithm; SEC1 has the curve behind the key.
  const std::string_view text = text_of(label == "EC PRIVATE KEY" ? der : der.first(std::min<size_t>(der.size(), 40)));
  for (const Algorithm& algorithm : kAlgorithms)
    if (text.find(algorithm.oid) != text.npos) return algorithm;
  return {"", "a key of an unknown algorithm or curve", {}};
}

// A slot as a buffer; wiped in the end.
struct Scratch {
  explicit Scratch(SecureSlots& s) : slots(s), bytes(static_cast<byte*>(s.take(s.slot_size()))) {}
  ~Scratch() { slots.release(bytes); }
  SecureSlots& slots;
  byte* bytes;
};

// Decrypts PKCS#8 in place and returns its new size; 0 and `problem` if that can't be done. wolfCrypt takes every hash
// that it does not know for SHA-1, so what can't work is told apart from a wrong passphrase here.
word32 decrypt(std::span<uint8_t> der, std::string_view passphrase, std::string& problem) {
  constexpr std::string_view kHmacSha256 = "\x2a\x86\x48\x86\xf7\x0d\x02\x09"sv;
  constexpr std::string_view kAes256Cbc = "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"sv;
  constexpr std::string_view kAes128Cbc = "\x60\x86\x48\x01\x65\x03\x04\x01\x02"sv;
  const std::string_view head = text_of(der.first(std::min<size_t>(der.size(), 160)));
  const auto has = [&](std::string_view oid) { return head.find(oid) != head.npos; };
  int size = 0;
  if (!has(kHmacSha256) || !(has(kAes256Cbc) || has(kAes128Cbc)))
    problem =
        std::string("it is encrypted by other means than PBES2 with HMAC-SHA256 and AES-CBC; convert it: ") + kConvert;
  else if (passphrase.empty())
    problem = "it is encrypted; set key_passphrase_file, or store it plain: `openssl pkey -in FILE -out NEW`";
  else if ((size = wc_DecryptPKCS8Key(der.data(), size32(der), passphrase.data(),
                                      static_cast<int>(passphrase.size()))) <= 0)
    problem = "it is encrypted; key_passphrase_file does not open it, or it has over 1,000,000 rounds of PBKDF2";
  return static_cast<word32>(std::max(size, 0));
}

constexpr word32 kSpkiRoom = 1024;  // RSA-4096 has 550
using SpkiDer = std::array<byte, kSpkiRoom>;
// Each loads `der` into an empty key, describes it, and returns the size of the SubjectPublicKeyInfo that it wrote
// to `spki`; 0 or less if `der` is no key of this sort.
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

std::shared_ptr<PrivateKey> PrivateKey::parse(Bytes pem, std::string_view passphrase, SecureSlots& slots,
                                              std::string& problem) {
  const PemBlock block = find_private_key(text_of(pem), problem);
  if (block.label.empty()) return nullptr;
  const auto fail = [&](std::string what) {
    problem = std::move(what);
    return nullptr;
  };
  void* slot = slots.take(sizeof(PrivateKey));
  const Scratch scratch(slots);
  if (!slot || !scratch.bytes) {
    slots.release(slot);
    return fail("there is no locked memory left for it");
  }
  std::shared_ptr<PrivateKey> key(new (slot) PrivateKey, [&slots](PrivateKey* old) {
    old->~PrivateKey();
    slots.release(old);
  });
  // Not wc_PemToDer: that one takes the PKCS#8 header off, which says what the key is.
  auto size = static_cast<word32>(slots.slot_size());  // no key that we allow is longer
  if (Base64_Decode(reinterpret_cast<const byte*>(block.body.data()), static_cast<word32>(block.body.size()),
                    scratch.bytes, &size) != 0 ||
      size == 0)
    return fail("its base64 is broken or too long");
  if (block.label == kEncrypted && (size = decrypt({scratch.bytes, size}, passphrase, problem)) == 0) return nullptr;
  const Bytes der(scratch.bytes, size);
  const Algorithm algorithm = algorithm_of(block.label, der);
  if (!algorithm.type)
    return fail("found " + std::string(algorithm.name) +
                "; allowed are RSA, ECDSA on P-256, P-384, P-521, and Ed25519");
  if (!key->decode(*algorithm.type, der)) return fail("found " + std::string(algorithm.name) + " that is broken");
  const unsigned bits = key->info_.bits;
  if (algorithm.type == KeyType::rsa && (bits < kLeastRsaBits || bits > kMostRsaBits))
    return fail("found an RSA key of " + std::to_string(bits) + " bits; allowed are 2048 to 4096");
  return key;
}

PrivateKey::~PrivateKey() {
  if (auto* rsa = std::get_if<RsaKey>(&key_)) wc_FreeRsaKey(rsa);
  if (auto* ecc = std::get_if<ecc_key>(&key_)) wc_ecc_free(ecc);
  if (auto* ed = std::get_if<ed25519_key>(&key_)) wc_ed25519_free(ed);
}

template <typename Key>
bool PrivateKey::decode_as(Bytes der) {
  SpkiDer spki;
  const int size = load(key_.emplace<Key>(), der, info_, spki);
  return size > 0 && wc_Sha256Hash(spki.data(), static_cast<word32>(size), info_.spki.data()) == 0;
}

bool PrivateKey::decode(KeyType type, Bytes der) {
  const bool decoded = type == KeyType::rsa       ? decode_as<RsaKey>(der)
                       : type == KeyType::ed25519 ? decode_as<ed25519_key>(der)
                                                  : decode_as<ecc_key>(der);
  return decoded && info_.type == type;
}

}  // namespace keyd
