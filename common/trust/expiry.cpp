#include "common/trust/expiry.h"

#include <algorithm>
#include <tuple>

#include "common/trust/openssl_ptr.h"
#include "common/trust/pem.h"
#include "common/trust/text.h"

namespace trust {
namespace {

auto identity(const Expiry& one) { return std::tie(one.kind, one.file, one.subject); }
auto urgency(const Expiry& one) { return std::tie(one.kind, one.at, one.file, one.subject); }

}  // namespace

void Expiries::add(const Pem& pem, Expiry::Kind kind) {
  if (pem.text.empty()) return;
  const auto note = [&](const std::string& subject, const ASN1_TIME* time) {
    if (const auto at = unix_time(time)) found_.push_back({kind, pem.path, subject, *at});
  };
  const bool crls = kind == Expiry::Kind::crl;
  for (const Der& der : crls ? crls_in(pem) : certificates_in(pem)) {
    const unsigned char* bytes = der.data();
    const auto size = static_cast<long>(der.size());
    if (crls) {
      if (const Crl crl{d2i_X509_CRL(nullptr, &bytes, size)}; crl && X509_CRL_get0_nextUpdate(crl.get()))
        note(name_text(X509_CRL_get_issuer(crl.get())), X509_CRL_get0_nextUpdate(crl.get()));
    } else if (const Certificate certificate{d2i_X509(nullptr, &bytes, size)}) {
      note(subject_text(certificate.get()), X509_get0_notAfter(certificate.get()));
    }
  }
}

std::vector<Expiry> Expiries::take() && {
  std::ranges::sort(found_, {}, urgency);
  std::vector<Expiry> kept;
  for (Expiry& one : found_)
    if (kept.size() < kMost && std::ranges::find(kept, identity(one), identity) == kept.end())
      kept.push_back(std::move(one));
  return kept;
}

}  // namespace trust
