#include "common/trust/names.h"

#include "common/trust/few_decoders.h"
#include "common/trust/openssl_ptr.h"

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
