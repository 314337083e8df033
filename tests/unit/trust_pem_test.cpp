// The reader accepts every PEM file that OpenSSL reads, and names what it can't read.
#include "common/trust/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "common/config.h"
#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

namespace {

using pki::Der;
using trust::Pem;

const pki::Identity& ca() {
  static const pki::Identity made = pki::root("Root", 1);
  return made;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// Returns the text with each line changed by `change`, whose argument says whether the line is in the body.
std::string by_line(const std::string& text, const std::function<std::string(const std::string&, bool)>& change) {
  std::istringstream in(text);
  std::string line, out;
  while (std::getline(in, line)) out += change(line, !line.starts_with("-----")) + "\n";
  return out;
}

// The number of certificates that OpenSSL finds, as in X509_load_cert_crl_file(3); -1: an error.
int openssl_counts(const std::string& text) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
                                                         BIO_free_all);
  STACK_OF(X509_INFO)* found = PEM_X509_INFO_read_bio(in.get(), nullptr, nullptr, nullptr);
  ERR_clear_error();
  if (!found) return -1;
  int certificates = 0;
  for (int i = 0; i < sk_X509_INFO_num(found); i++)
    if (sk_X509_INFO_value(found, i)->x509) certificates++;
  sk_X509_INFO_pop_free(found, X509_INFO_free);
  return certificates;
}

int we_count(const std::string& text) {
  try {
    return static_cast<int>(trust::certificates_in({"f", text}).size());
  } catch (const common::ConfigError&) {
    return -1;
  }
}

std::string error_of(const std::string& text) {
  try {
    trust::certificates_in({"/ca.pem", text, "cacertfile"});
  } catch (const common::ConfigError& error) {
    return error.what();
  }
  return "none";
}

std::string trusted_certificate() {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(BIO_new(BIO_s_mem()), BIO_free_all);
  X509_add1_trust_object(ca().certificate.get(), OBJ_nid2obj(NID_client_auth));
  PEM_write_bio_X509_AUX(out.get(), ca().certificate.get());
  X509_trust_clear(ca().certificate.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

}  // namespace

TEST_CASE("trust pem: every layout that OpenSSL reads is accepted") {
  const std::string text = ca().pem();
  const auto body = [](const std::string& prefix, const std::string& suffix) {
    return [=](const std::string& line, bool inside) { return inside ? prefix + line + suffix : line; };
  };
  const std::pair<const char*, std::string> layouts[] = {
      {"plain", text},
      {"CRLF", replaced(text, "\n", "\r\n")},
      {"CRCRLF", replaced(text, "\n", "\r\r\n")},
      {"no newline at the end", text.substr(0, text.size() - 1)},
      {"blank line after BEGIN", replaced(text, "CERTIFICATE-----\nMI", "CERTIFICATE-----\n\nMI")},
      {"trailing spaces", replaced(text, "\n", "  \n")},
      {"trailing tabs", replaced(text, "\n", "\t\n")},
      {"body indented by spaces", by_line(text, body("    ", ""))},
      {"body indented by tabs", by_line(text, body("\t", ""))},
      {"text around", "Bag Attributes\n    friendlyName: x\nsubject=CN = x\n" + text + "\nmore text\n"},
      {"X509 CERTIFICATE", replaced(text, "CERTIFICATE-----", "X509 CERTIFICATE-----")},
      {"TRUSTED CERTIFICATE", trusted_certificate()},
      {"NUL at the end", text + std::string(1, '\0')},
      {"two labels", text + replaced(text, "CERTIFICATE-----", "X509 CERTIFICATE-----") + trusted_certificate()},
      {"a key before", ca().key_pem() + text},
  };
  for (const auto& [name, layout] : layouts) {
    INFO(name);
    CHECK(openssl_counts(layout) > 0);
    CHECK(we_count(layout) == openssl_counts(layout));
  }
  CHECK(we_count("\xef\xbb\xbf" + text) == 1);  // a UTF-8 byte order mark; OpenSSL finds nothing
  CHECK(trust::certificates_in({"f", trusted_certificate()}).front() == ca().der());
}

TEST_CASE("trust pem: a file that is not PEM is named for what it is") {
  std::string utf16 = "\xff\xfe";
  for (const char c : ca().pem()) utf16 += {c, '\0'};
  const Der der = ca().der(), list = pki::der(pki::crl(ca()));
  CHECK(error_of(utf16).find("UTF-16") != std::string::npos);
  CHECK(error_of({der.begin(), der.end()}).find("a certificate in DER") != std::string::npos);
  CHECK(error_of({list.begin(), list.end()}).find("a CRL in DER") != std::string::npos);
  CHECK(error_of("").find("empty") != std::string::npos);
  CHECK(error_of("hello\n").find("it is not PEM") != std::string::npos);
  CHECK(error_of(ca().key_pem()).find("it holds only a private key") != std::string::npos);
  CHECK(error_of("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n").find("request") !=
        std::string::npos);
  CHECK(error_of("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n").find("PKCS#7") != std::string::npos);
  CHECK(error_of(replaced(ca().pem(), "-----", "----")).find("five hyphens") != std::string::npos);
  CHECK(error_of(pki::pem(pki::crl(ca()))).find("it holds only a CRL") != std::string::npos);

  PKCS12* bundle = PKCS12_create("x", "x", ca().key.get(), ca().certificate.get(), nullptr, 0, 0, 0, 0, 0);
  unsigned char* bytes = nullptr;
  const int size = i2d_PKCS12(bundle, &bytes);
  PKCS12_free(bundle);
  REQUIRE(size > 0);
  CHECK(error_of({reinterpret_cast<char*>(bytes), static_cast<size_t>(size)}).find("PKCS#12") != std::string::npos);
  OPENSSL_free(bytes);
}

TEST_CASE("trust pem: a key in a CA file whose BEGIN line has swallowed its base64 is not shown") {
  const std::string secret = "MC4CAQAwBQYDK2VwBCIEIK";
  const std::string swallowed = "-----BEGIN PRIVATE KEY " + secret + "-----\nAAAA\n-----END PRIVATE KEY-----\n";
  CHECK(error_of(swallowed).find(secret.substr(0, 6)) == std::string::npos);
  const trust::Validator beside({"/ca.pem", swallowed + ca().pem(), "cacertfile"}, {}, {});
  for (const auto& concern : beside.concerns(pki::kNow))
    CHECK(concern.text().find(secret.substr(0, 6)) == std::string::npos);
}

TEST_CASE(
    "trust pem: a cut, damaged or foreign block is named with its line, and a trust file's other blocks are used") {
  const std::string first = ca().pem(), last = pki::root("Last", 2).pem();
  const auto lines = static_cast<size_t>(std::count(first.begin(), first.end(), '\n'));
  const std::string cut = first.substr(0, first.size() / 2) + "\n";
  CHECK(error_of(first + cut) == "cacertfile: /ca.pem: line " + std::to_string(lines + 1) +
                                     ": \"CERTIFICATE\" has no END line: the file was cut, or a line is missing");
  CHECK(error_of(replaced(first, "\nMI", "\n!!")).find("line 1: \"CERTIFICATE\" is damaged") != std::string::npos);
  CHECK(error_of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").find("not an X.509 certificate") !=
        std::string::npos);

  for (const std::string& middle : {cut, replaced(first, "\nMI", "\n!!"), ca().key_pem()}) {
    trust::Validator all({"/ca.pem", first + middle + last, "cacertfile"}, {}, {});
    CHECK(trust_support::accepts(all, {pki::issue(ca(), {}, pki::key("P-256", 9))}));
    CHECK(trust_support::accepts(all, {pki::issue(pki::root("Last", 2), {}, pki::key("P-256", 9))}));
    const auto concerns = all.concerns(pki::kNow);
    REQUIRE(concerns.size() == 1);
    CHECK(concerns[0].subject.find("in line " + std::to_string(lines + 1)) != std::string::npos);
  }
  CHECK_THROWS_AS((trust::Validator{{"f", cut}, {}, {}}), common::ConfigError);
}
