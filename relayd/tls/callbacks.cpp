#include "relayd/tls/callbacks.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include <span>
#include <vector>

#include "relayd/tls/handshake.h"

namespace relayd::tls {
namespace {

using ipc::Scheme;

// wolfSSL passes a digest but no scheme; within one algorithm the digest's length determines the scheme.
Scheme by_digest(size_t digest_size, Scheme sha256, Scheme sha384, Scheme sha512) {
  return digest_size == 32 ? sha256 : digest_size == 48 ? sha384 : sha512;
}

Handshake* handshake_of(WOLFSSL* ssl) { return static_cast<HandshakeOwner*>(wolfSSL_GetIOReadCtx(ssl))->handshake(); }

int sign(WOLFSSL* ssl, Scheme scheme, const byte* in, word32 in_size, byte* out, word32* out_size) {
  Handshake* handshake = handshake_of(ssl);
  return handshake ? handshake->sign(scheme, {in, in_size}, {out, *out_size}, *out_size) : -1;
}

int sign_ecc(WOLFSSL* ssl, const byte* in, word32 in_size, byte* out, word32* out_size, const byte*, word32, void*) {
  const auto scheme = by_digest(in_size, Scheme::ecdsa_sha256, Scheme::ecdsa_sha384, Scheme::ecdsa_sha512);
  return sign(ssl, scheme, in, in_size, out, out_size);
}

int sign_ed25519(WOLFSSL* ssl, const byte* in, word32 in_size, byte* out, word32* out_size, const byte*, word32,
                 void*) {
  return sign(ssl, Scheme::ed25519, in, in_size, out, out_size);
}

int sign_rsa(WOLFSSL* ssl, const byte* in, word32 in_size, byte* out, word32* out_size, const byte*, word32, void*) {
  constexpr word32 kDigestInfoPrefix = 19;  // RFC 8017 section 9.2, note 1: the same for SHA-256, 384 and 512
  if (in_size <= kDigestInfoPrefix) return -1;
  const auto scheme = by_digest(in_size - kDigestInfoPrefix, Scheme::rsa_pkcs1_sha256, Scheme::rsa_pkcs1_sha384,
                                Scheme::rsa_pkcs1_sha512);
  return sign(ssl, scheme, in, in_size, out, out_size);
}

int sign_rsa_pss(WOLFSSL* ssl, const byte* in, word32 in_size, byte* out, word32* out_size, int, int, const byte*,
                 word32, void*) {
  const auto scheme =
      by_digest(in_size, Scheme::rsa_pss_rsae_sha256, Scheme::rsa_pss_rsae_sha384, Scheme::rsa_pss_rsae_sha512);
  return sign(ssl, scheme, in, in_size, out, out_size);
}

// Without these callbacks, wolfSSL would verify the new RSA signature with a key that it does not have. keyd verifies
// it instead.
int rsa_made_by_keyd(WOLFSSL*, byte*, word32, byte**, const byte*, word32, void*) { return 0; }
int rsa_pss_made_by_keyd(WOLFSSL*, byte*, word32, byte**, int, int, const byte*, word32, void*) { return 0; }

// Called with each ClientHello, whether it names a server or not.
int server_name(WOLFSSL* ssl, int*, void*) {
  void* name = nullptr;
  const size_t size = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &name);
  if (Handshake* handshake = handshake_of(ssl); handshake && size > 0)
    handshake->show_certificate_for({static_cast<const char*>(name), size});
  return 0;
}

// Only clients call this. On a server, its presence makes wolfSSL keep the data that ServerKeyExchange signs
// (wolf_shim.c).
int server_key_exchange(WOLFSSL*, byte, const byte*, word32, const byte*, word32, const byte*, word32) { return -1; }

// Called once per chain, on success too (WOLFSSL_ALWAYS_VERIFY_CB). wolfSSL has only read the leaf's key
// (common/tls/peer_certificate.c); `key_usable` says whether that worked. A refusal by wolfSSL is never overridden.
int judge_peer(int key_usable, WOLFSSL_X509_STORE_CTX* store) {
  auto* owner = static_cast<HandshakeOwner*>(store->userCtx);
  Handshake* handshake = owner ? owner->handshake() : nullptr;
  if (!handshake) return 0;
  if (store->totalCerts <= 0) return key_usable;  // the device may have sent no certificate
  std::vector<std::span<const uint8_t>> chain;
  for (int i = 0; i < store->totalCerts; i++) chain.emplace_back(store->certs[i].buffer, store->certs[i].length);
  return handshake->accepts_peer(chain, key_usable != 0) ? 1 : 0;
}

}  // namespace

void set_signature_callbacks(WOLFSSL_CTX* context) {
  wolfSSL_CTX_SetEccSignCb(context, sign_ecc);
  wolfSSL_CTX_SetEd25519SignCb(context, sign_ed25519);
  wolfSSL_CTX_SetRsaSignCb(context, sign_rsa);
  wolfSSL_CTX_SetRsaPssSignCb(context, sign_rsa_pss);
  wolfSSL_CTX_SetRsaSignCheckCb(context, rsa_made_by_keyd);
  wolfSSL_CTX_SetRsaPssSignCheckCb(context, rsa_pss_made_by_keyd);
}

void set_server_callbacks(WOLFSSL_CTX* server, bool by_name) {
  wolfSSL_CTX_SetProcessServerSigKexCb(server, server_key_exchange);
  if (by_name) wolfSSL_CTX_set_servername_callback(server, server_name);
}

void judge_peers(WOLFSSL_CTX* context, int flags) { wolfSSL_CTX_set_verify(context, flags, judge_peer); }

}  // namespace relayd::tls
