#include "relayd/tls/context.h"

#include <arpa/inet.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include <algorithm>
#include <ranges>
#include <stdexcept>

#include "common/config.h"
#include "common/tls/spki.h"
#include "common/tls/wolf_shim.h"
#include "relayd/tls/callbacks.h"
#include "relayd/tls/stream.h"

namespace relayd::tls {
namespace {

using common::ConfigError;

std::string reason(long code) {
  const char* text = wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(code));
  return text ? text : "error " + std::to_string(code);
}

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

void set_groups(WOLFSSL_CTX* context, const std::vector<uint16_t>& wanted) {
  std::vector<int> groups(wanted.begin(), wanted.end());
  if (groups.empty())
    groups = {WOLFSSL_X25519MLKEM768, WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1,
              WOLFSSL_ECC_SECP521R1};
  if (wolfSSL_CTX_set_groups(context, groups.data(), static_cast<int>(groups.size())) != WOLFSSL_SUCCESS)
    throw std::runtime_error("wolfSSL does not know the key exchange groups it was built with");
}

void set_ciphers(WOLFSSL_CTX* context, const std::vector<uint16_t>& wanted, Versions versions) {
  std::vector<uint16_t> ciphers;
  const auto add = [&](const CipherSuite& suite) {
    if (fits(suite, versions)) ciphers.push_back(suite.number);
  };
  for (const CipherSuite& suite : kCipherSuites)
    if (wanted.empty() && suite.by_default) add(suite);
  for (const uint16_t number : wanted)
    if (const auto* suite = std::ranges::find(kCipherSuites, number, &CipherSuite::number);
        suite != kCipherSuites.end())
      add(*suite);
  if (wolf_shim_set_suites(context, ciphers.data(), ciphers.size()) != 0)
    throw ConfigError("this build of wolfSSL lacks a cipher suite of `ciphers`; AES-CCM needs the pinned release");
}

CertificateChain chain_in(const Pem& pem) {
  CertificateChain chain;
  const auto certificates = trust::certificates_in(pem);
  chain.leaf_size = certificates.front().size();
  for (const auto& der : certificates) chain.der.insert(chain.der.end(), der.begin(), der.end());
  const auto spki = common::tls::spki_hash(chain.leaf());
  if (!spki) throw ConfigError(pem.name() + ": the first certificate can't be read: it has no public key");
  chain.spki = *spki;
  return chain;
}

void use_certificate(WOLFSSL_CTX* context, const Pem& pem, const CertificateChain& chain) {
  const int result = wolfSSL_CTX_use_certificate_chain_buffer_format(
      context, chain.der.data(), static_cast<long>(chain.der.size()), WOLFSSL_FILETYPE_ASN1);
  if (result != WOLFSSL_SUCCESS)
    throw ConfigError(pem.name() + ": the certificate chain can't be used: " + reason(result));
  if (kNeedsPublicKey) {
    const auto key = common::tls::spki_in(chain.leaf());
    if (wolfSSL_CTX_use_PrivateKey_buffer(context, key.data(), static_cast<long>(key.size()), WOLFSSL_FILETYPE_ASN1) !=
        WOLFSSL_SUCCESS)
      throw ConfigError(pem.name() + ": its public key can't be used");
  }
}

bool is_address(const std::string& name) {
  in6_addr address;
  return inet_pton(AF_INET, name.c_str(), &address) == 1 || inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

}  // namespace

static_assert(group_named("X25519MLKEM768") == WOLFSSL_X25519MLKEM768 && group_named("X25519") == WOLFSSL_ECC_X25519 &&
              group_named("P-256") == WOLFSSL_ECC_SECP256R1 && group_named("P-384") == WOLFSSL_ECC_SECP384R1 &&
              group_named("P-521") == WOLFSSL_ECC_SECP521R1);

std::vector<uint16_t> key_shares(const std::vector<uint16_t>& groups, Hello hello) {
  std::vector<uint16_t> shares;
  for (const uint16_t group : groups) {
    if (hello == Hello::small && group == WOLFSSL_X25519MLKEM768) continue;
    if (shares.empty()) shares.push_back(group);
    else if (shares[0] == WOLFSSL_X25519MLKEM768) return {shares[0], group};
  }
  return shares;
}

bool ClientContext::has_small_hello() const {
  const auto& groups = options_.groups;
  return options_.versions != Versions::tls12 && groups.size() > 1 &&
         std::ranges::find(groups, WOLFSSL_X25519MLKEM768) != groups.end() &&
         key_shares(groups).front() == WOLFSSL_X25519MLKEM768;
}

void ContextDeleter::operator()(WOLFSSL_CTX* context) const { wolfSSL_CTX_free(context); }

std::unique_ptr<trust::Validator> make_validator(const ServerOptions& options) {
  if (!options.verify_peer) return nullptr;
  trust::Policy policy = options.policy;
  policy.purpose = trust::Purpose::device;
  policy.name.clear();
  return std::make_unique<trust::Validator>(options.trusted, options.revoked, std::move(policy));
}

std::unique_ptr<trust::Validator> make_validator(const ClientOptions& options) {
  if (!options.verify_peer) return nullptr;
  trust::Policy policy = options.policy;
  policy.purpose = trust::Purpose::remote;
  policy.name = options.name;
  return std::make_unique<trust::Validator>(options.trusted, options.revoked, std::move(policy));
}

ServerContext::ServerContext(const ServerOptions& options)
    : validator_(make_validator(options)), max_record_(options.max_record) {
  for (const Pem& pem : options.certificates) {
    const auto chain = chain_in(pem);
    certificates_.push_back({make_context(true, options.versions), chain.spki});
    use_certificate(certificates_.back().context.get(), pem, chain);
    if (!names_.add(names_in(chain)) && certificates_.size() > 1)
      throw ConfigError(pem.name() +
                        ": no device would be shown this certificate: it has no DNS name, or the certificates before "
                        "it have its names too; remove it, or have it issued for a name of its own");
  }
  for (const Certificate& certificate : certificates_) {
    WOLFSSL_CTX* context = certificate.context.get();
    set_groups(context, options.groups);
    set_ciphers(context, options.ciphers, options.versions);
    set_server_callbacks(context, certificates_.size() > 1);
    const int required = options.fail_if_no_peer_cert ? WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    if (options.verify_peer) judge_peers(context, WOLFSSL_VERIFY_PEER | required);
    else wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_NONE, nullptr);
  }
}

ClientContext::ClientContext(ClientOptions options)
    : options_(std::move(options)),
      named_by_address_(is_address(options_.name)),
      validator_(make_validator(options_)),
      context_(make_context(false, options_.versions)) {
  if (validator_) judge_peers(context_.get(), WOLFSSL_VERIFY_PEER);
  else wolfSSL_CTX_set_verify(context_.get(), WOLFSSL_VERIFY_NONE, nullptr);
  if (!options_.certificate.text.empty()) certificate_ = chain_in(options_.certificate);
  set_groups(context_.get(), options_.groups);
  set_ciphers(context_.get(), options_.ciphers, options_.versions);
}

}  // namespace relayd::tls
