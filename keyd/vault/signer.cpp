#include "keyd/vault/signer.h"

#include <strings.h>

#include <algorithm>
#include <stdexcept>

#include "common/tls/handshake_signature.h"
#include "common/tls/sha2.h"

namespace keyd {
namespace {

using Bytes = std::span<const uint8_t>;
using common::tls::Family;
using common::tls::Side;

word32 size32(Bytes bytes) { return static_cast<word32>(bytes.size()); }

using DigestInfo = std::array<uint8_t, WC_MAX_DIGEST_SIZE + 32>;
word32 encode(DigestInfo& info, wc_HashType hash, Bytes digest) {
  return wc_EncodeSignature(info.data(), digest.data(), size32(digest), wc_HashGetOID(hash));
}

// wolfCrypt does not write to the inputs of a verification.
byte* input(Bytes bytes) { return const_cast<byte*>(bytes.data()); }

bool is_pkcs1(RsaKey& key, wc_HashType hash, Bytes digest, Bytes signature) {
  DigestInfo info, opened;
  const word32 size = encode(info, hash, digest);
  return wc_RsaSSL_Verify(input(signature), size32(signature), opened.data(), static_cast<word32>(opened.size()),
                          &key) == static_cast<int>(size) &&
         size > 0 && std::equal(info.begin(), info.begin() + size, opened.begin());
}

bool is_pss(RsaKey& key, wc_HashType hash, Bytes digest, Bytes signature) {
  SignatureBuffer opened;
  return wc_RsaPSS_VerifyCheck(input(signature), size32(signature), opened.data(), static_cast<word32>(opened.size()),
                               input(digest), size32(digest), hash, wc_hash2mgf(hash), &key) > 0;
}

}  // namespace

Signer::Signer() {
  if (wc_InitRng(&random_) != 0)
    throw std::runtime_error("no randomness: wolfCrypt's generator can't be seeded by getrandom(2)");
}

Signer::~Signer() { wc_FreeRng(&random_); }

std::optional<size_t> Signer::sign(const PrivateKey& shared, const ipc::Sign& request, SignatureBuffer& out) {
  const auto key = shared.copy();
  if (!key) return std::nullopt;
  std::optional<common::tls::CertificateVerifyContent> covered;
  Bytes message = request.content;
  if (is_tls13(request.kind)) {
    const bool server = request.kind == ipc::Kind::tls13_server;
    message = covered.emplace(server ? Side::server : Side::client, request.content).bytes();
  }
  const auto scheme = facts_of(request.scheme);
  const wc_HashType hash = common::tls::hash_type(scheme.hash_size);
  std::array<uint8_t, 64> buffer;
  const auto digest = std::span(buffer).first(scheme.hash_size);
  std::optional<size_t> size;
  if (scheme.family == Family::ed25519) {
    word32 length = static_cast<word32>(out.size());
    if (wc_ed25519_sign_msg(message.data(), size32(message), out.data(), &length, &key->as<ed25519_key>()) == 0)
      size = length;
  } else if (common::tls::sha2(message, digest)) {
    if (scheme.family == Family::ecdsa) size = ecdsa(key->as<ecc_key>(), digest, out);
    else size = rsa(key->as<RsaKey>(), scheme.family == Family::rsa_pss, hash, digest, out);
  }
  wipe_stack();
  if (!size) explicit_bzero(out.data(), out.size());
  return size;
}

bool Signer::verifies(const PrivateKey& shared, ipc::Scheme scheme_code, Bytes message, Bytes signature) {
  const auto key = shared.copy();
  if (!key) return false;
  const auto scheme = facts_of(scheme_code);
  const wc_HashType hash = common::tls::hash_type(scheme.hash_size);
  std::array<uint8_t, 64> buffer;
  const auto digest = std::span(buffer).first(scheme.hash_size);
  int good = 0, failure = 0;
  if (scheme.family == Family::ed25519)
    failure = wc_ed25519_verify_msg(signature.data(), size32(signature), message.data(), size32(message), &good,
                                    &key->as<ed25519_key>());
  else if (!common::tls::sha2(message, digest)) return false;
  else if (scheme.family == Family::ecdsa)
    failure = wc_ecc_verify_hash(signature.data(), size32(signature), digest.data(), size32(digest), &good,
                                 &key->as<ecc_key>());
  else return (scheme.family == Family::rsa_pkcs1 ? is_pkcs1 : is_pss)(key->as<RsaKey>(), hash, digest, signature);
  return failure == 0 && good == 1;
}

std::optional<size_t> Signer::ecdsa(ecc_key& key, Bytes digest, SignatureBuffer& out) {
  wc_ecc_set_rng(&key, &random_);  // masks the scalar multiplication, for curves whose code can
  word32 length = static_cast<word32>(out.size());
  const bool ok = wc_ecc_sign_hash(digest.data(), size32(digest), out.data(), &length, &random_, &key) == 0;
  return ok ? std::optional<size_t>(length) : std::nullopt;
}

std::optional<size_t> Signer::rsa(RsaKey& key, bool pss, wc_HashType hash, Bytes digest, SignatureBuffer& out) {
  DigestInfo info;
  const word32 room = static_cast<word32>(out.size());
  // Salt as long as the hash (RFC 8446 section 4.2.3): wolfCrypt's default.
  const int size =
      pss ? wc_RsaPSS_Sign(digest.data(), size32(digest), out.data(), room, hash, wc_hash2mgf(hash), &key, &random_)
          : wc_RsaSSL_Sign(info.data(), encode(info, hash, digest), out.data(), room, &key, &random_);
  const bool good =
      size > 0 && (pss ? is_pss : is_pkcs1)(key, hash, digest, std::span(out).first(static_cast<size_t>(size)));
  return good ? std::optional<size_t>(size) : std::nullopt;
}

}  // namespace keyd
