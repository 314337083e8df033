#include "common/trust/material.h"

#include <arpa/inet.h>
#include <openssl/err.h>

#include <algorithm>

#include "common/config.h"
#include "common/trust/text.h"

namespace trust {
namespace {

using common::ConfigError;

constexpr int kSecurityLevel = 2;  // 112 bits: SSL_CTX_set_security_level(3), Debian's default

void add_boundary(std::vector<int64_t>& boundaries, const ASN1_TIME* time) {
  if (const auto seconds = unix_time(time)) boundaries.push_back(*seconds);
}

std::string block_name(const PemBlock& block) {
  return "\"" + block.label + "\" in line " + std::to_string(block.line);
}

// Keeps the trust settings of a TRUSTED CERTIFICATE. Null: not X.509.
Certificate parse_certificate(const PemBlock& block) {
  const unsigned char* at = block.der.data();
  const long size = static_cast<long>(block.der.size());
  Certificate certificate(block.kind == BlockKind::trusted_certificate ? d2i_X509_AUX(nullptr, &at, size)
                                                                       : d2i_X509(nullptr, &at, size));
  ERR_clear_error();
  return certificate;
}

// A system's bundle may hold certificates that can't be read: each becomes a concern, and the others are used.
void load_anchors(Material& material, const Pem& pem) {
  const auto blocks = pem_blocks(pem.text);
  for (const PemBlock& block : blocks) {
    Concern unused{Concern::Kind::damaged, pem.name(), block_name(block), "", "remove it from the file"};
    if (!block.problem.empty()) {
      unused.problem = block.problem;
      unused.advice = "replace the file with a whole one; its other certificates are used";
    } else if (block.kind == BlockKind::certificate || block.kind == BlockKind::trusted_certificate) {
      if (Certificate anchor = parse_certificate(block)) {
        if (X509_STORE_add_cert(material.store.get(), anchor.get()) != 1) throw std::bad_alloc();
        add_boundary(material.boundaries, X509_get0_notBefore(anchor.get()));
        add_boundary(material.boundaries, X509_get0_notAfter(anchor.get()));
        material.anchors.push_back(std::move(anchor));
        continue;
      }
      unused.problem = "can't be read: its content is not an X.509 certificate";
      unused.advice = "replace it; the file's other certificates serve";
    } else {
      unused.kind = Concern::Kind::not_used;
      unused.problem = "is " + what_is_labelled(block.label) + ", and is not used";
      unused.harmless = true;
    }
    material.unused.push_back(std::move(unused));
  }
  if (!material.anchors.empty()) return;
  certificates_in(pem);  // throws, naming the cause
  throw ConfigError(pem.name() + ": none of its certificates can be read");
}

// The CRL number, RFC 5280 5.2.3; -1: none.
int64_t number_of(X509_CRL* crl) {
  auto* number = static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr));
  int64_t value = -1;
  if (number && ASN1_INTEGER_get_int64(&value, number) != 1) value = INT64_MAX;
  ASN1_INTEGER_free(number);
  return value;
}

// OpenSSL takes the CRL with the later thisUpdate, and the first of equal ones: sort the higher number first.
void load_crls(Material& material, const Pem& pem) {
  material.crls = made(CrlStack(sk_X509_CRL_new_null()));
  if (pem.path.empty() && pem.text.empty()) return;
  std::vector<std::pair<int64_t, Crl>> numbered;
  for (const Der& der : crls_in(pem)) {
    const unsigned char* at = der.data();
    Crl crl = made(Crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size()))));
    add_boundary(material.boundaries, X509_CRL_get0_lastUpdate(crl.get()));
    add_boundary(material.boundaries, X509_CRL_get0_nextUpdate(crl.get()));
    const int64_t number = number_of(crl.get());
    numbered.emplace_back(number, std::move(crl));
  }
  std::stable_sort(numbered.begin(), numbered.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [number, crl] : numbered)
    if (sk_X509_CRL_push(material.crls.get(), crl.get()) > 0) (void)crl.release();
    else throw std::bad_alloc();
  for (const PemBlock& block : pem_blocks(pem.text))
    if (block.kind != BlockKind::crl)
      material.unused.push_back({Concern::Kind::not_used, pem.name(), block_name(block),
                                 "is " + what_is_labelled(block.label) + ", and is not used", "remove it from the file",
                                 true});
}

void set_name(X509_VERIFY_PARAM* parameters, std::string name) {
  if (name.empty()) return;
  in6_addr address;
  const bool ip = inet_pton(AF_INET, name.c_str(), &address) == 1 || inet_pton(AF_INET6, name.c_str(), &address) == 1;
  if (!ip && name.ends_with('.')) name.pop_back();  // a certificate has no root label (RFC 6125 1.8)
  const int done = ip ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str())
                      : X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size());
  if (done != 1) throw ConfigError("\"" + name + "\" is neither a DNS name nor an IP address");
}

void set_parameters(const Material& material, const Policy& policy) {
  X509_VERIFY_PARAM* parameters = X509_STORE_get0_param(material.store.get());
  X509_VERIFY_PARAM_set_purpose(parameters,
                                policy.purpose == Purpose::device ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_trust(parameters,
                              policy.purpose == Purpose::device ? X509_TRUST_SSL_CLIENT : X509_TRUST_SSL_SERVER);
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(policy.depth));
  unsigned long flags = policy.partial_chain ? X509_V_FLAG_PARTIAL_CHAIN : 0;
  // Indirect and partitioned CRLs (RFC 5280 5.2.5), delta CRLs (5.2.4).
  if (material.asks_crls()) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_EXTENDED_CRL_SUPPORT | X509_V_FLAG_USE_DELTAS;
  if (material.asks_crls() && policy.revocation == Revocation::chain) flags |= X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  set_name(parameters, policy.name);
}

}  // namespace

Material::Material(const Pem& anchors_pem, const Pem& crls_pem, const Policy& policy)
    : anchor_name(anchors_pem.name()),
      crl_name(crls_pem.name()),
      anchor_path(anchors_pem.path),
      crl_path(crls_pem.path) {
  // No openssl.cnf: a worker can't open files, and a machine-wide setting must not change which chains are accepted.
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) throw std::bad_alloc();
  store = made(Store(X509_STORE_new()));
  load_anchors(*this, anchors_pem);
  load_crls(*this, crls_pem);
  set_parameters(*this, policy);
  std::sort(boundaries.begin(), boundaries.end());
}

X509* Material::anchor_named(const X509_NAME* name) const {
  for (const Certificate& anchor : anchors)
    if (X509_NAME_cmp(X509_get_subject_name(anchor.get()), name) == 0) return anchor.get();
  return nullptr;
}

}  // namespace trust
