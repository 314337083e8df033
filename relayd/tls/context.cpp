#include "relayd/tls/context.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include <iterator>
#include <stdexcept>

#include "common/config.h"
#include "common/log.h"
#include "relayd/tls/callbacks.h"
#include "relayd/tls/stream.h"

namespace relayd::tls {
namespace {

using common::ConfigError;

std::string reason(long code) {
  const char* text = wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(code));
  return text ? text : "error " + std::to_string(code);
}

const byte* bytes(std::string_view text) { return reinterpret_cast<const byte*>(text.data()); }

ContextPtr make_context(bool server, Versions versions) {
  static const bool initialised = wolfSSL_Init() == WOLFSSL_SUCCESS;
  if (!initialised) throw std::runtime_error("wolfSSL_Init failed");
  WOLFSSL_METHOD* method = nullptr;
  switch (versions) {
    case Versions::tls12: method = server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method(); break;
    case Versions::tls13: method = server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method(); break;
    case Versions::tls12_and_13: method = server ? wolfSSLv23_server_method() : wolfSSLv23_client_method(); break;
  }
  ContextPtr context(wolfSSL_CTX_new(method));
  if (!context) throw std::bad_alloc();
  if (versions == Versions::tls12_and_13 && wolfSSL_CTX_SetMinVersion(context.get(), WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS)
    throw std::runtime_error("wolfSSL can't be limited to TLS 1.2 and later");
  set_signature_callbacks(context.get());
  Stream::set_io_callbacks(context.get());
  return context;
}

// Each certificate by itself, so that one that wolfSSL can't use (in a system's bundle there may be some) neither
// hides the others nor goes unmentioned.
void load_trusted(WOLFSSL_CTX* context, const Pem& pem) {
  static constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----", kEnd = "-----END CERTIFICATE-----";
  int count = 0, unusable = 0;
  std::string first_cause;
  for (size_t at = 0; (at = pem.text.find(kBegin, at)) != std::string::npos; count++) {
    const size_t end = pem.text.find(kEnd, at);
    if (end == std::string::npos) throw ConfigError(pem.file + ": a certificate has no end line " + std::string(kEnd));
    const auto one = std::string_view(pem.text).substr(at, end + kEnd.size() - at);
    const int result = wolfSSL_CTX_load_verify_buffer(context, bytes(one), static_cast<long>(one.size()),
                                                      WOLFSSL_FILETYPE_PEM);
    if (result != WOLFSSL_SUCCESS && unusable++ == 0)
      first_cause = "certificate " + std::to_string(count + 1) + ": " + reason(result);
    at = end;
  }
  if (count == 0)
    throw ConfigError(pem.file + ": no certificate found; expected PEM text, \"" + std::string(kBegin) + "\" …");
  if (unusable == count) throw ConfigError(pem.file + ": none of its certificates can be used; " + first_cause);
  if (unusable > 0)
    common::log::warning("some certificates in this file can't be used and are not trusted",
                         {{"file", pem.file}, {"unusable", unusable}, {"of", count}, {"first", first_cause}});
}

void load_revoked(WOLFSSL_CTX* context, const Pem& pem) {
  if (pem.text.empty()) return;
  if (wolfSSL_CTX_EnableCRL(context, 0) != WOLFSSL_SUCCESS) throw std::bad_alloc();
  const int result = wolfSSL_CTX_LoadCRLBuffer(context, bytes(pem.text), static_cast<long>(pem.text.size()),
                                               WOLFSSL_FILETYPE_PEM);
  if (result != WOLFSSL_SUCCESS)
    throw ConfigError(pem.file + ": not a usable CRL: " + reason(result) + "; expected PEM text, \"-----BEGIN X509 CRL-----\" …");
}

}  // namespace

void ContextDeleter::operator()(WOLFSSL_CTX* context) const { wolfSSL_CTX_free(context); }

ServerContext::ServerContext(const ServerOptions& options) : context_(make_context(true, options.versions)) {
  const Pem& pem = options.certificate;
  certificate_.der = first_certificate(pem.text, pem.file);
  certificate_.leaf_size = certificate_.der.size();
  const auto spki = spki_of(certificate_.leaf());
  if (!spki) throw ConfigError(pem.file + ": the first certificate can't be read: not X.509, or an unknown kind of key");
  certificate_.spki = *spki;
  const int result = wolfSSL_CTX_use_certificate_chain_buffer(context_.get(), bytes(pem.text),
                                                              static_cast<long>(pem.text.size()));
  if (result != WOLFSSL_SUCCESS)
    throw ConfigError(pem.file + ": the certificate chain can't be used: " + reason(result));

  set_server_callbacks(context_.get());
  if (!options.verify_peer) {
    wolfSSL_CTX_set_verify(context_.get(), WOLFSSL_VERIFY_NONE, nullptr);
    return;
  }
  load_trusted(context_.get(), options.trusted);
  load_revoked(context_.get(), options.revoked);
  const int required = options.fail_if_no_peer_cert ? WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  capture_verified_chain(context_.get(), WOLFSSL_VERIFY_PEER | required);
}

ClientContext::ClientContext(ClientOptions options)
    : options_(std::move(options)), context_(make_context(false, options_.versions)) {
  wolfSSL_CTX_set_verify(context_.get(), options_.verify_peer ? WOLFSSL_VERIFY_PEER : WOLFSSL_VERIFY_NONE, nullptr);
  if (options_.verify_peer) load_trusted(context_.get(), options_.trusted);
  int groups[] = {WOLFSSL_X25519MLKEM768, WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
  if (wolfSSL_CTX_set_groups(context_.get(), groups, std::size(groups)) != WOLFSSL_SUCCESS)
    throw std::runtime_error("wolfSSL does not know the key exchange groups it was built with");
}

}  // namespace relayd::tls
