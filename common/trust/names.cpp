#include "common/trust/names.h"

#include <openssl/err.h>

#include <algorithm>

#include "common/der.h"
#include "common/json_line.h"
#include "common/trust/few_decoders.h"
#include "common/trust/openssl_ptr.h"
#include "common/trust/text.h"

namespace trust {
namespace {

void free_names(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
using GeneralNames = Owned<GENERAL_NAMES, free_names>;

std::string utf8_of(const ASN1_STRING* string) {
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, string);
  if (size < 0) return "";
  const Text owned(reinterpret_cast<char*>(text));
  return {owned.get(), static_cast<size_t>(size)};
}

std::string common_name_of(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? "" : utf8_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

}  // namespace

Label label_of(std::span<const uint8_t> der) {
  namespace asn1 = common::der;
  asn1::Bytes content = asn1::take(der, asn1::kSequence), tbs = asn1::take(content, asn1::kSequence);
  asn1::take(tbs, asn1::constructed(0));  // the version, unless it is 1
  asn1::Bytes serial = asn1::take(tbs, asn1::kInteger);
  for (int i = 0; i < 3; i++) asn1::take(tbs, asn1::kSequence);  // signature, issuer, validity
  while (serial.size() > 1 && serial.front() == 0) serial = serial.subspan(1);
  const unsigned char* at = tbs.data();
  const Owned<X509_NAME, X509_NAME_free> subject(d2i_X509_NAME(nullptr, &at, static_cast<long>(tbs.size())));
  ERR_clear_error();
  return {subject ? name_text(subject.get()) : "", common::hex(serial.data(), std::min<size_t>(serial.size(), 32))};
}

Names names_in(std::span<const uint8_t> der) {
  const Certificate certificate = parse_certificate(der);
  if (!certificate) return {};
  Names names{common_name_of(certificate.get()), {}};
  const GeneralNames alternative(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternative.get()); i++) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternative.get(), i);
    if (name->type == GEN_DNS) names.alternative.push_back(utf8_of(name->d.dNSName));
    if (name->type == GEN_URI) names.alternative.push_back(utf8_of(name->d.uniformResourceIdentifier));
  }
  return names;
}

}  // namespace trust
