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

}  // namespace

Signer::Signer() {
  if (wc_InitRng(&random_) != 0)
    throw std::runtime_error("no randomness: wolfCrypt's generator can't be seeded by getrandom(2)");
}

Signer::~Signer() { wc_FreeRng(&random_); }

std::optional<size_t> Signer::sign(PrivateKey& key, const ipc::Sign& request, SignatureBuffer& out) {
  const std::lock_guard guard(key.in_use());
  std::optional<common::tls::CertificateVerifyContent> covered;
  Bytes message = request.content;
  if (is_tls13(request.kind)) {
    const bool server = request.kind == ipc::Kind::tls13_server;
    message = covered.emplace(server ? Side::server : Side::client, request.content).bytes();
  }
  const auto scheme = facts_of(request.scheme);
  std::optional<size_t> size;
  if (scheme.family == Family::ed25519) {
    word32 length = static_cast<word32>(out.size());
    if (wc_ed25519_sign_msg(message.data(), size32(message), out.data(), &length, &key.as<ed25519_key>()) == 0)
      size = length;
  } else {
    const wc_HashType hash = common::tls::hash_type(scheme.hash_size);
    std::array<uint8_t, 64> buffer;
    const auto computed = std::span(buffer).first(scheme.hash_size);
    Bytes digest = computed;
    if (request.kind == ipc::Kind::tls12_client) digest = message;  // the only content that comes hashed
    else if (!common::tls::sha2(message, computed)) return std::nullopt;
    if (scheme.family == Family::ecdsa) size = ecdsa(key.as<ecc_key>(), digest, out);
    else if (scheme.family == Family::rsa_pkcs1) size = rsa_pkcs1(key.as<RsaKey>(), hash, digest, out);
    else size = rsa_pss(key.as<RsaKey>(), hash, digest, out);
  }
  wipe_stack();
  if (!size) explicit_bzero(out.data(), out.size());
  return size;
}

std::optional<size_t> Signer::ecdsa(ecc_key& key, Bytes digest, SignatureBuffer& out) {
  wc_ecc_set_rng(&key, &random_);  // masks the scalar multiplication, for curves whose code can
  word32 length = static_cast<word32>(out.size());
  const bool ok = wc_ecc_sign_hash(digest.data(), size32(digest), out.data(), &length, &random_, &key) == 0;
  return ok ? std::optional<size_t>(length) : std::nullopt;
}

std::optional<size_t> Signer::rsa_pkcs1(RsaKey& key, wc_HashType hash, Bytes digest, SignatureBuffer& out) {
  std::array<uint8_t, WC_MAX_DIGEST_SIZE + 32> info, opened;
  const word32 info_size = wc_EncodeSignature(info.data(), digest.data(), size32(digest), wc_HashGetOID(hash));
  const int size = wc_RsaSSL_Sign(info.data(), info_size, out.data(), static_cast<word32>(out.size()), &key, &random_);
  if (size <= 0) return std::nullopt;
  const int opened_size =
      wc_RsaSSL_Verify(out.data(), static_cast<word32>(size), opened.data(), static_cast<word32>(opened.size()), &key);
  const bool same =
      opened_size == static_cast<int>(info_size) && std::equal(info.begin(), info.begin() + info_size, opened.begin());
  return same ? std::optional<size_t>(size) : std::nullopt;
}

std::optional<size_t> Signer::rsa_pss(RsaKey& key, wc_HashType hash, Bytes digest, SignatureBuffer& out) {
  const int mgf = wc_hash2mgf(hash);
  // Salt as long as the hash (RFC 8446 section 4.2.3): wolfCrypt's default.
  const int size = wc_RsaPSS_Sign(digest.data(), size32(digest), out.data(), static_cast<word32>(out.size()), hash, mgf,
                                  &key, &random_);
  if (size <= 0) return std::nullopt;
  SignatureBuffer opened;
  const int good =
      wc_RsaPSS_VerifyCheck(out.data(), static_cast<word32>(size), opened.data(), static_cast<word32>(opened.size()),
                            digest.data(), size32(digest), hash, mgf, &key);
  return good > 0 ? std::optional<size_t>(size) : std::nullopt;
}

}  // namespace keyd
