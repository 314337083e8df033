// The input of a validator: anchors, CRLs, and the moments at which any of them becomes valid or expires. Made once
// from PEM, never changed. Inside common/trust only.
#pragma once

#include <string>
#include <vector>

#include "common/trust/openssl_ptr.h"
#include "common/trust/validator.h"

namespace trust {

struct Material {
  std::string anchor_name, crl_name;  // as Pem::name(); crl_name is empty without CRLs
  std::string anchor_path, crl_path;
  std::vector<Certificate> anchors;  // in the file's order
  Store store;                       // the same anchors, and no CRL
  CrlStack crls;                     // of two that OpenSSL ranks equal, the one to use comes first
  std::vector<int64_t> boundaries;   // unix seconds, sorted: notBefore, notAfter, thisUpdate, nextUpdate
  std::vector<Concern> unused;       // the files' other entries, which are not used

  Material(const Pem& anchors, const Pem& crls, const Policy& policy);

  bool asks_crls() const { return sk_X509_CRL_num(crls.get()) > 0; }
  // The first anchor of that name, or null.
  X509* anchor_named(const X509_NAME* name) const;
  X509_CRL* crl(int i) const { return sk_X509_CRL_value(crls.get(), i); }
  int crl_count() const { return sk_X509_CRL_num(crls.get()); }
};

// Implements Validator::concerns().
std::vector<Concern> concerns_of(const Material& material, const Policy& policy, int64_t now);

}  // namespace trust
