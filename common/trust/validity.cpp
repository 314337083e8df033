#include "common/trust/validity.h"

#include "common/der.h"
#include "common/trust/openssl_ptr.h"
#include "common/trust/text.h"

namespace trust {
namespace {

namespace der = common::der;
using Time = Owned<ASN1_TIME, ASN1_TIME_free>;

// Takes the first time from `dates`.
std::optional<int64_t> take_time(der::Bytes& dates) {
  const unsigned char* at = dates.data();
  const Time time(d2i_ASN1_TIME(nullptr, &at, static_cast<long>(dates.size())));
  if (!time) return std::nullopt;
  dates = dates.subspan(static_cast<size_t>(at - dates.data()));
  return unix_time(time.get());
}

}  // namespace

std::optional<Validity> validity_of(std::span<const uint8_t> certificate) {
  der::Bytes content = der::take(certificate, der::kSequence), tbs = der::take(content, der::kSequence);
  der::take(tbs, der::constructed(0));                         // the version, unless it is 1
  der::take(tbs, der::kInteger);                               // serial number
  for (int i = 0; i < 2; i++) der::take(tbs, der::kSequence);  // signature, issuer
  der::Bytes dates = der::take(tbs, der::kSequence);
  const auto from = take_time(dates);
  const auto until = from ? take_time(dates) : std::nullopt;
  return until ? std::optional(Validity{*from, *until}) : std::nullopt;
}

std::string why_not_valid(const Validity& validity, int64_t now) {
  if (now > validity.until) return "has expired on " + time_text(validity.until);
  return now < validity.from ? "is not valid before " + time_text(validity.from) : "";
}

}  // namespace trust
