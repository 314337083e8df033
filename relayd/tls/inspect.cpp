#include "relayd/tls/inspect.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>

#include <ctime>

#include "common/config.h"

namespace relayd::tls {
namespace {

struct Decoded {
  explicit Decoded(std::span<const uint8_t> der) {
    wc_InitDecodedCert(&certificate, der.data(), static_cast<word32>(der.size()), nullptr);
    readable = wc_ParseCert(&certificate, CERT_TYPE, NO_VERIFY, nullptr) == 0;
  }
  ~Decoded() { wc_FreeDecodedCert(&certificate); }
  Decoded(const Decoded&) = delete;
  Decoded& operator=(const Decoded&) = delete;
  DecodedCert certificate;
  bool readable = false;
};

// Of a DER Time (RFC 5280 section 4.1.2.5).
bool read_time(const byte* der, int size, int64_t& time) {
  const byte* text = nullptr;
  byte format = 0;
  int length = 0;
  tm parts{};
  if (wc_GetDateInfo(der, size, &text, &format, &length) != 0 ||
      wc_GetDateAsCalendarTime(text, length, format, &parts) != 0)
    return false;
  time = timegm(&parts);
  return true;
}

}  // namespace

CertificateFacts facts_of(std::span<const uint8_t> certificate_der, const std::string& file) {
  const Decoded decoded(certificate_der);
  const DecodedCert& certificate = decoded.certificate;
  CertificateFacts facts;
  if (!decoded.readable || !read_time(certificate.beforeDate, certificate.beforeDateLen, facts.not_before) ||
      !read_time(certificate.afterDate, certificate.afterDateLen, facts.not_after))
    throw common::ConfigError(file + ": a certificate in it can't be read: not X.509, or an unknown kind of key");
  if (certificate.subjectCN) facts.name.assign(certificate.subjectCN, static_cast<size_t>(certificate.subjectCNLen));
  return facts;
}

std::vector<CertificateFacts> facts_of(const Pem& pem) {
  std::vector<CertificateFacts> all;
  for (const std::string_view block : pem_blocks(pem, "CERTIFICATE")) {
    all.push_back(facts_of(first_certificate(block, pem.file), pem.file));
    all.back().pem = block;
  }
  return all;
}

bool has_issued(const CertificateFacts& issuer, const CertificateFacts& certificate) {
  try {
    const ContextPtr authority = make_authorities({"the issuer", issuer.pem}, {});
    return wolfSSL_CertManagerVerifyBuffer(
               wolfSSL_CTX_GetCertManager(authority.get()), reinterpret_cast<const byte*>(certificate.pem.data()),
               static_cast<long>(certificate.pem.size()), WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS;
  } catch (const common::ConfigError&) {
    return false;
  }
}

}  // namespace relayd::tls
