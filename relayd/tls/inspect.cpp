#include "relayd/tls/inspect.h"

#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "common/config.h"
#include "common/trust/names.h"

namespace relayd::tls {
namespace {

struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using CertificatePtr = std::unique_ptr<X509, CertificateDeleter>;

CertificatePtr parse(std::span<const uint8_t> der) {
  const unsigned char* at = der.data();
  return CertificatePtr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

bool read_time(const ASN1_TIME* time, int64_t& seconds) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return false;
  seconds = timegm(&parts);
  return true;
}

}  // namespace

CertificateFacts facts_of(std::span<const uint8_t> certificate_der, const std::string& file) {
  CertificateFacts facts;
  const CertificatePtr certificate = parse(certificate_der);
  if (!certificate || !read_time(X509_get0_notBefore(certificate.get()), facts.not_before) ||
      !read_time(X509_get0_notAfter(certificate.get()), facts.not_after))
    throw common::ConfigError(file +
                              ": a certificate in it can't be read: it is not X.509, or its dates are malformed");
  facts.name = trust::names_in(certificate_der).common_name;
  facts.der.assign(certificate_der.begin(), certificate_der.end());
  return facts;
}

std::vector<CertificateFacts> facts_of(const Pem& pem) {
  std::vector<CertificateFacts> all;
  for (const trust::Der& der : trust::certificates_in(pem)) all.push_back(facts_of(der, pem.name()));
  return all;
}

bool has_issued(const CertificateFacts& issuer, const CertificateFacts& certificate) {
  const CertificatePtr above = parse(issuer.der), below = parse(certificate.der);
  return X509_check_issued(above.get(), below.get()) == X509_V_OK &&
         X509_verify(below.get(), X509_get0_pubkey(above.get())) == 1;
}

}  // namespace relayd::tls
