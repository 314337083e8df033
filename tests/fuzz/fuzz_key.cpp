// Any text as a key file, with and without a passphrase, in keyd's locked key memory. A parsed key is of an allowed
// kind, an elliptic-curve key can sign, and every slot is returned. (wolfCrypt does not check an RSA key's numbers; if
// they do not fit together they must make no signature.) The first byte selects the form of the rest: 'p', 's', 'r' and
// 'e' take it as the DER inside a PEM block of that label, so that libFuzzer need not discover base64; anything else
// takes it as the text itself.
#include <algorithm>
#include <string>

#include "keyd/vault/signer.h"
#include "tests/fuzz/require.h"

namespace {

using Bytes = std::span<const uint8_t>;
using keyd::KeyType;

constexpr size_t kSlots = 48;

// Set up as in keyd, for the life of the program.
struct Vault {
  keyd::SecureSlots slots{kSlots, sizeof(keyd::PrivateKey)};
  keyd::WolfcryptMemory memory{slots};
  keyd::Signer signer;
};

size_t free_slots(keyd::SecureSlots& slots) {
  std::array<void*, kSlots> taken{};
  size_t count = 0;
  while (count < kSlots && (taken[count] = slots.take(1))) count++;
  for (size_t i = 0; i < count; i++) slots.release(taken[i]);
  return count;
}

const char* label_of(uint8_t form) {
  switch (form) {
    case 'p': return "PRIVATE KEY";
    case 's': return "EC PRIVATE KEY";
    case 'r': return "RSA PRIVATE KEY";
    case 'e': return "ENCRYPTED PRIVATE KEY";
    default: return nullptr;
  }
}

std::string base64(Bytes der) {
  std::string text(der.size() * 2 + 80, '\0');
  auto size = static_cast<word32>(text.size());
  REQUIRE(Base64_Encode(der.data(), static_cast<word32>(der.size()), reinterpret_cast<byte*>(text.data()), &size) == 0);
  text.resize(size);
  return text;
}

std::string key_file(Bytes input) {
  const char* label = label_of(input.front());
  const Bytes rest = input.subspan(1);
  if (!label || rest.empty()) return {rest.begin(), rest.end()};
  return std::string("-----BEGIN ") + label + "-----\n" + base64(rest) + "-----END " + label + "-----\n";
}

ipc::Scheme scheme_of(KeyType type) {
  switch (type) {
    case KeyType::rsa: return ipc::Scheme::rsa_pss_rsae_sha256;
    case KeyType::p256: return ipc::Scheme::ecdsa_sha256;
    case KeyType::p384: return ipc::Scheme::ecdsa_sha384;
    case KeyType::p521: return ipc::Scheme::ecdsa_sha512;
    case KeyType::ed25519: break;
  }
  return ipc::Scheme::ed25519;
}

// LOOKUP compares the public half, so a signature must verify with it.
bool verifies(keyd::PrivateKey& key, Bytes message, Bytes signature) {
  const auto size = static_cast<word32>(signature.size());
  int good = 0;
  if (key.info().type == KeyType::ed25519)
    return wc_ed25519_verify_msg(signature.data(), size, message.data(), static_cast<word32>(message.size()), &good,
                                 &key.as<ed25519_key>()) == 0 &&
           good == 1;
  if (key.info().type == KeyType::rsa) return true;  // Signer has already verified it
  std::array<byte, WC_SHA512_DIGEST_SIZE> digest{};
  const auto scheme = scheme_of(key.info().type);
  const auto hash = scheme == ipc::Scheme::ecdsa_sha256   ? WC_HASH_TYPE_SHA256
                    : scheme == ipc::Scheme::ecdsa_sha384 ? WC_HASH_TYPE_SHA384
                                                          : WC_HASH_TYPE_SHA512;
  const auto digest_size = static_cast<word32>(facts_of(scheme).hash_size);
  return wc_Hash(hash, message.data(), static_cast<word32>(message.size()), digest.data(), digest_size) == 0 &&
         wc_ecc_verify_hash(signature.data(), size, digest.data(), digest_size, &good, &key.as<ecc_key>()) == 0 &&
         good == 1;
}

void sign(keyd::PrivateKey& key, keyd::Signer& signer) {
  const auto& info = key.info();
  REQUIRE(info.type != KeyType::rsa || (info.bits >= 2048 && info.bits <= 4096));
  const std::array<uint8_t, 32> transcript_hash{1, 2, 3};
  const ipc::Sign request{
      {ipc::Role::device, info.spki, {}, "id"}, ipc::Kind::tls13_client, scheme_of(info.type), transcript_hash};
  keyd::SignatureBuffer signature;
  const auto size = signer.sign(key, request, signature);
  REQUIRE(size || info.type == KeyType::rsa);
  if (!size) return;
  const common::tls::CertificateVerifyContent content(common::tls::Side::client, transcript_hash);
  REQUIRE(verifies(key, content.bytes(), Bytes(signature).first(*size)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Vault vault;
  static const size_t all_free = free_slots(vault.slots);
  if (size == 0) return 0;
  const std::string text = key_file({data, size});
  const Bytes bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  for (const char* passphrase : {"", "secret"}) {
    std::string problem;
    auto key = keyd::PrivateKey::parse(bytes, passphrase, vault.slots, problem);
    REQUIRE(key ? problem.empty() : !problem.empty());
    if (key && *passphrase) sign(*key, vault.signer);
    key.reset();
    REQUIRE(free_slots(vault.slots) == all_free);
  }
  return 0;
}
