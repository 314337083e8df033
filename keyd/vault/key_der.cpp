#include "keyd/vault/key_der.h"

#include <strings.h>

#include <algorithm>
#include <bit>

#include "common/tls/wolfcrypt.h"

namespace keyd {
namespace {

using namespace std::string_view_literals;
using der::Bytes;
using der::take;
using der::text_of;

constexpr unsigned kLeastRsaBits = 2048, kMostRsaBits = 4096;

// What an AlgorithmIdentifier names.
struct Algorithm {
  std::string_view oid;  // DER, RFC 5280 and its kin
  const char* name;
  std::optional<KeyType> type;  // nullopt: not allowed
};
constexpr std::string_view kElliptic = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"sv;  // the curve is its parameter
constexpr Algorithm kAlgorithms[] = {
    {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv, "an RSA key", KeyType::rsa},
    {"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"sv, "a P-256 key", KeyType::p256},
    {"\x06\x05\x2b\x81\x04\x00\x22"sv, "a P-384 key", KeyType::p384},
    {"\x06\x05\x2b\x81\x04\x00\x23"sv, "a P-521 key", KeyType::p521},
    {"\x06\x03\x2b\x65\x70"sv, "an Ed25519 key", KeyType::ed25519},
    {"\x06\x07\x2a\x86\x48\xce\x38\x04\x01"sv, "a DSA key", {}},
    {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"sv, "an RSASSA-PSS key", {}},
    {"\x06\x03\x2b\x65\x6e"sv, "an X25519 key", {}},
    {"\x06\x03\x2b\x65\x71"sv, "an Ed448 key", {}},
};
// Looks up the content of an AlgorithmIdentifier.
Algorithm algorithm_of(std::string_view identifier, bool curve) {
  if (identifier.starts_with(kElliptic)) {
    identifier.remove_prefix(kElliptic.size());
    curve = true;
  }
  for (const Algorithm& algorithm : kAlgorithms)
    if (identifier.starts_with(algorithm.oid)) return algorithm;
  if (!curve) return {"", "a key of an unknown algorithm", {}};
  if (identifier.empty()) return {"", "an elliptic-curve key that does not name its curve", {}};
  if (identifier[0] != der::kSequence) return {"", "an elliptic-curve key of another curve", {}};
  return {"",
          "an elliptic-curve key with explicit parameters, which no certificate may have (RFC 5480); name the curve: "
          "`openssl ec -in FILE -param_enc named_curve -out NEW`",
          {}};
}

// [1] IMPLICIT (RFC 5958), or EXPLICIT (RFC 5915, and what ring writes around Ed25519), of a BIT STRING.
Bytes take_public(Bytes& in) {
  Bytes bits = take(in, 0x81), wrapped = bits.empty() ? take(in, der::constructed(1)) : Bytes();
  if (bits.empty()) bits = take(wrapped, der::kBits);
  return bits.empty() ? bits : bits.subspan(1);  // after the number of unused bits
}

unsigned bits_of(Bytes number) {
  while (!number.empty() && number[0] == 0) number = number.subspan(1);
  return number.empty() ? 0 : static_cast<unsigned>(number.size() * 8 - std::countl_zero(number[0]));
}

// ECPrivateKey (RFC 5915); returns its curve, empty if it names none.
std::string_view take_elliptic(Bytes der, KeyParts& parts) {
  Bytes key = take(der, der::kSequence);
  take(key, der::kInteger);
  parts.secret = take(key, der::kOctets);
  const Bytes curve = take(key, der::constructed(0));
  parts.stated[1] = take_public(key);
  while (!parts.secret.empty() && parts.secret[0] == 0) parts.secret = parts.secret.subspan(1);
  return text_of(curve);
}

// The parameters of PBES2.
struct Encryption {
  wc_HashType hash{};
  int rounds = 0;
  word32 key_size = 0;
  Bytes salt, iv, data;
};

constexpr int kMostRounds = 1'000'000;  // wolfCrypt's limit in our profile; half a second

// nullopt if it is encrypted in another way.
std::optional<Encryption> encryption_of(Bytes der) {
  constexpr auto kPbes2 = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"sv, kPbkdf2 = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"sv,
                 kHmac = "\x2a\x86\x48\x86\xf7\x0d\x02"sv, kAes = "\x60\x86\x48\x01\x65\x03\x04\x01"sv;
  Bytes all = take(der, der::kSequence), scheme = take(all, der::kSequence);
  if (text_of(take(scheme, der::kOid)) != kPbes2) return {};
  Bytes parameters = take(scheme, der::kSequence), kdf = take(parameters, der::kSequence),
        cipher = take(parameters, der::kSequence);
  if (text_of(take(kdf, der::kOid)) != kPbkdf2) return {};
  Bytes derivation = take(kdf, der::kSequence);
  Encryption found;
  found.salt = take(derivation, der::kOctets);
  for (const uint8_t byte : take(derivation, der::kInteger))
    found.rounds = std::min(found.rounds << 8 | byte, kMostRounds + 1);
  take(derivation, der::kInteger);  // the key's length, which the cipher implies
  Bytes prf = take(derivation, der::kSequence);
  const std::string_view hmac = prf.empty() ? "\x2a\x86\x48\x86\xf7\x0d\x02\x07"sv : text_of(take(prf, der::kOid));
  const std::string_view aes = text_of(take(cipher, der::kOid));
  found.iv = take(cipher, der::kOctets);
  found.data = take(all, der::kOctets);
  constexpr wc_HashType kHashes[] = {WC_HASH_TYPE_SHA, WC_HASH_TYPE_SHA224, WC_HASH_TYPE_SHA256, WC_HASH_TYPE_SHA384,
                                     WC_HASH_TYPE_SHA512};
  const size_t hash = hmac.starts_with(kHmac) ? hmac.back() - size_t{7} : std::size(kHashes);
  const int mode = aes.starts_with(kAes) ? aes.back() : 0;
  found.key_size = mode == 2 ? 16 : mode == 22 ? 24 : mode == 42 ? 32 : 0;  // AES-CBC; others are GCM and the like
  if (hash >= std::size(kHashes) || found.key_size == 0 || found.iv.size() != AES_BLOCK_SIZE) return {};
  found.hash = kHashes[hash];
  return found;
}

// Returns the size without its padding; 0 if the key is the wrong one.
size_t decrypt_in_place(const Encryption& how, std::span<uint8_t> data, std::string_view passphrase) {
  uint8_t key[32];
  Aes aes;
  bool good = data.size() % AES_BLOCK_SIZE == 0 && !data.empty() &&
              wc_PBKDF2(key, reinterpret_cast<const byte*>(passphrase.data()), static_cast<int>(passphrase.size()),
                        how.salt.data(), static_cast<int>(how.salt.size()), how.rounds, static_cast<int>(how.key_size),
                        how.hash) == 0 &&
              wc_AesInit(&aes, nullptr, INVALID_DEVID) == 0;
  if (good) {
    good = wc_AesSetKey(&aes, key, how.key_size, how.iv.data(), AES_DECRYPTION) == 0 &&
           wc_AesCbcDecrypt(&aes, data.data(), data.data(), static_cast<word32>(data.size())) == 0;
    wc_AesFree(&aes);
  }
  explicit_bzero(key, sizeof key);
  const size_t padding = good ? data.back() : 0, size = data.size() - std::min(data.size(), padding);
  Bytes rest = data.first(size);  // one SEQUENCE, and nothing after it
  return padding == 0 || padding > AES_BLOCK_SIZE || take(rest, der::kSequence).empty() || !rest.empty() ? 0 : size;
}

}  // namespace

std::optional<KeyParts> take_apart(Bytes der, std::string& problem) {
  KeyParts parts;
  Bytes in = der, key = take(in, der::kSequence);
  take(key, der::kInteger);  // the version, which the rest implies
  Algorithm algorithm = kAlgorithms[0];
  if (const Bytes info = take(key, der::kSequence); !info.empty()) {
    Bytes inner = take(key, der::kOctets);
    take(key, der::constructed(0));  // attributes
    parts.stated[0] = take_public(key);
    algorithm = algorithm_of(text_of(info), false);
    if (algorithm.type == KeyType::rsa) parts.secret = inner;
    else if (algorithm.type == KeyType::ed25519) parts.secret = take(inner, der::kOctets);
    else if (const auto curve = take_elliptic(inner, parts); !curve.empty() && !curve.starts_with(algorithm.oid))
      parts.secret = {};
  } else if (!key.empty() && key[0] == der::kOctets) {
    algorithm = algorithm_of(take_elliptic(der, parts), true);
  } else {
    parts.secret = der.first(der.size() - in.size());
  }
  const auto fail = [&](const std::string& what) {
    problem = "found " + what;
    return std::nullopt;
  };
  if (!algorithm.type)
    return fail(std::string(algorithm.name) + "; allowed are RSA, ECDSA on P-256, P-384, P-521, and Ed25519");
  if (parts.secret.empty())
    return fail((key.data() ? algorithm.name : std::string("a key")) + " that is broken or cut off");
  parts.type = *algorithm.type;
  parts.name = algorithm.name;
  if (parts.type != KeyType::rsa) return parts;
  Bytes rsa = parts.secret, numbers = take(rsa, der::kSequence);
  take(numbers, der::kInteger);
  parts.rsa_bits = bits_of(take(numbers, der::kInteger));
  if (parts.rsa_bits < kLeastRsaBits || parts.rsa_bits > kMostRsaBits)
    return fail("an RSA key of " + std::to_string(parts.rsa_bits) + " bits; allowed are 2048 to 4096");
  return parts;
}

std::span<uint8_t> decrypt_pkcs8(std::span<uint8_t> der, std::string_view passphrase, std::string& problem) {
  const auto how = encryption_of(der);
  size_t size = 0;
  std::span<uint8_t> data;
  if (how && !how->data.empty())
    data = der.subspan(static_cast<size_t>(how->data.data() - der.data()), how->data.size());
  if (!how)
    problem =
        "it is encrypted by other means than PBES2 with PBKDF2 and AES-CBC; convert it: `openssl pkcs8 -topk8 "
        "-v2 aes-256-cbc -v2prf hmacWithSHA256 -in FILE -out NEW`";
  else if (passphrase.empty())
    problem = "it is encrypted; set key_passphrase_file, or store it plain: `openssl pkey -in FILE -out NEW`";
  else if (how->rounds > kMostRounds)
    problem =
        "it is encrypted with over 1,000,000 rounds of PBKDF2; convert it: `openssl pkcs8 -topk8 -v2 "
        "aes-256-cbc -iter 600000 -in FILE -out NEW`";
  else if ((size = decrypt_in_place(*how, data, passphrase)) == 0)
    problem = "it is encrypted, and key_passphrase_file does not open it";
  return data.first(size);
}

}  // namespace keyd
