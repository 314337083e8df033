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
  if (versions == Versions::tls12_and_13 &&
      wolfSSL_CTX_SetMinVersion(context.get(), WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS)
    throw std::runtime_error("wolfSSL can't be limited to TLS 1.2 and later");
  set_signature_callbacks(context.get());
  Stream::set_io_callbacks(context.get());
  return context;
}

// A system's bundle may hold some that wolfSSL can't use: they are named, and the others serve.
void load_trusted(WOLFSSL_CTX* context, const Pem& pem) {
  const auto blocks = pem_blocks(pem, "CERTIFICATE");
  size_t unusable = 0;
  std::string first_cause;
  for (size_t i = 0; i < blocks.size(); i++) {
    const int result = wolfSSL_CTX_load_verify_buffer(context, bytes(blocks[i]), static_cast<long>(blocks[i].size()),
                                                      WOLFSSL_FILETYPE_PEM);
    if (result != WOLFSSL_SUCCESS && unusable++ == 0)
      first_cause = "certificate " + std::to_string(i + 1) + ": " + reason(result);
  }
  if (unusable == blocks.size()) throw ConfigError(pem.file + ": none of its certificates can be used; " + first_cause);
  if (unusable > 0)
    common::log::warning("some certificates in this file can't be used and are not trusted",
                         {{"file", pem.file}, {"unusable", unusable}, {"of", blocks.size()}, {"first", first_cause}});
}

void load_revoked(WOLFSSL_CTX* context, const Pem& pem) {
  if (pem.file.empty()) return;
  if (wolfSSL_CTX_EnableCRL(context, 0) != WOLFSSL_SUCCESS) throw std::bad_alloc();
  for (const std::string_view block : pem_blocks(pem, "X509 CRL")) {
    const int result =
        wolfSSL_CTX_LoadCRLBuffer(context, bytes(block), static_cast<long>(block.size()), WOLFSSL_FILETYPE_PEM);
    if (result != WOLFSSL_SUCCESS)
      throw ConfigError(pem.file + ": a CRL can't be used: " + reason(result) +
                        "; is its issuer in listener.cacertfile?");
  }
}

}  // namespace

std::vector<std::string_view> pem_blocks(const Pem& pem, const std::string& label) {
  const std::string begin = "-----BEGIN " + label + "-----", end = "-----END " + label + "-----";
  std::vector<std::string_view> blocks;
  for (size_t at = 0, last; (at = pem.text.find(begin, at)) != std::string::npos; at = last) {
    last = pem.text.find(end, at);
    if (last == std::string::npos) throw ConfigError(pem.file + ": a block has no end line \"" + end + "\"");
    blocks.push_back(std::string_view(pem.text).substr(at, last + end.size() - at));
  }
  if (blocks.empty()) throw ConfigError(pem.file + ": found no \"" + begin + "\"; expected PEM text with at least one");
  return blocks;
}

void ContextDeleter::operator()(WOLFSSL_CTX* context) const { wolfSSL_CTX_free(context); }

ContextPtr make_authorities(const Pem& trusted, const Pem& revoked) {
  ContextPtr context = make_context(true, Versions::tls12_and_13);
  load_trusted(context.get(), trusted);
  load_revoked(context.get(), revoked);
  return context;
}

ServerContext::ServerContext(const ServerOptions& options) : context_(make_context(true, options.versions)) {
  const Pem& pem = options.certificate;
  certificate_.der = first_certificate(pem.text, pem.file);
  certificate_.leaf_size = certificate_.der.size();
  const auto spki = spki_of(certificate_.leaf());
  if (!spki)
    throw ConfigError(pem.file + ": the first certificate can't be read: not X.509, or an unknown kind of key");
  certificate_.spki = *spki;
  const int result =
      wolfSSL_CTX_use_certificate_chain_buffer(context_.get(), bytes(pem.text), static_cast<long>(pem.text.size()));
  if (result != WOLFSSL_SUCCESS)
    throw ConfigError(pem.file + ": the certificate chain can't be used: " + reason(result));

  if (kNeedsPublicKey) {
    const auto key = public_key_of(certificate_.leaf());
    if (wolfSSL_CTX_use_PrivateKey_buffer(context_.get(), key.data(), static_cast<long>(key.size()),
                                          WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
      throw ConfigError(pem.file + ": its public key can't be used");
  }
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
  if (options_.verify_peer) {
    load_trusted(context_.get(), options_.trusted);
    check_name_of_peer(context_.get());
  } else {
    wolfSSL_CTX_set_verify(context_.get(), WOLFSSL_VERIFY_NONE, nullptr);
  }
  int groups[] = {WOLFSSL_X25519MLKEM768, WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1,
                  WOLFSSL_ECC_SECP521R1};  // in TLS 1.2 they also say which curves a certificate may have
  if (wolfSSL_CTX_set_groups(context_.get(), groups, std::size(groups)) != WOLFSSL_SUCCESS)
    throw std::runtime_error("wolfSSL does not know the key exchange groups it was built with");
}

}  // namespace relayd::tls
