#include "common/trust/text.h"

#include <openssl/err.h>

#include <array>
#include <ctime>

#include "common/trust/pem.h"

namespace trust {
namespace {

constexpr size_t kMaxName = 200;

std::string content_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

std::string serial_text(const X509* certificate) {
  const Memory memory(made(Memory(BIO_new(BIO_s_mem()))));
  i2a_ASN1_INTEGER(memory.get(), X509_get0_serialNumber(certificate));
  return "serial number 0x" + content_of(memory.get());
}

}  // namespace

std::string name_text(const X509_NAME* name) {
  const Memory memory(made(Memory(BIO_new(BIO_s_mem()))));
  X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return bounded(content_of(memory.get()), kMaxName);
}

std::string subject_text(X509* certificate) {
  std::string subject = name_text(X509_get_subject_name(certificate));
  if (!subject.empty()) return subject;
  GENERAL_NAMES* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && subject.empty(); i++) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    subject = "DNS:" + std::string(text, static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  return subject.empty() ? bounded(serial_text(certificate), kMaxName) : bounded(subject, kMaxName);
}

std::string subject_of(const Der& der) {
  const unsigned char* at = der.data();
  const Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  return certificate ? subject_text(certificate.get()) : "";
}

std::optional<int64_t> unix_time(const ASN1_TIME* time) {
  tm broken{};
  if (!time || ASN1_TIME_to_tm(time, &broken) != 1) return std::nullopt;
  return timegm(&broken);
}

std::string time_text(int64_t unix_seconds) {
  const time_t seconds = unix_seconds;
  tm broken{};
  std::array<char, 64> text{};
  if (!gmtime_r(&seconds, &broken) || strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &broken) == 0)
    return std::to_string(unix_seconds);
  return text.data();
}

std::string bounded(std::string text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit - 3;  // the ellipsis
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end--;
  text.resize(end);
  return text + "…";
}

}  // namespace trust
