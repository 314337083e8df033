// NIST's Public Key Interoperability Test Suite, as far as it concerns a TLS peer: all sections but those on policies
// (4.8 to 4.12), and without the three on DSA (4.1.4 to 4.1.6). Each test's certificates and CRLs come from the message
// signed with them; Debian's python3-cryptography-vectors has these messages. All are valid until 2030-12-31.
#include <openssl/cms.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>

#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

namespace {

namespace fs = std::filesystem;
using trust::Validator;

constexpr char kVectors[] = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data";

// The suite accepts these; we refuse them, as `openssl verify -crl_check -extended_crl` does.
const std::map<std::string, std::string> kExceptions = {
    {"ValidcRLIssuerTest30", "4.14.30: the certificate of the CRL's issuer is covered by that CRL alone (a circle)"}};

struct Section {
  const char* name;
  std::vector<const char*> marks;  // in the names of its tests
};
const Section kSections[] = {
    {"4.1 signatures", {"SignaturesTest", "SignatureTest2", "SignatureTest3"}},
    {"4.2 validity periods", {"notBeforeDate", "notAfterDate"}},
    {"4.3 name chaining", {"NameChaining", "RFC3280", "Rollover", "UTF8String"}},
    {"4.4 basic revocation",
     {"MissingCRL", "Revoked", "BadCRL", "WrongCRL", "TwoCRLs", "UnknownCRL", "CRLnextUpdate", "SerialNumber",
      "SeparateCertificate"}},
    {"4.5 self-issued certificates", {"BasicSelfIssued"}},
    {"4.6 basic constraints", {"basicConstraints", "cAFalse", "pathLen"}},
    {"4.7 key usage", {"keyUsage"}},
    {"4.13 name constraints", {"nameConstraints"}},
    {"4.14 distribution points", {"istributionPoint", "onlyContains", "onlySomeReasons", "indirectCRL", "cRLIssuer"}},
    {"4.15 delta CRLs", {"deltaCRL"}},
    {"4.16 certificate extensions", {"CriticalCertificateExtension"}},
};
constexpr const char* kNotOfTls[] = {"olic", "Qualifier", "DSA"};

const char* section_of(const std::string& test) {
  const auto has = [&](const char* mark) { return test.find(mark) != std::string::npos; };
  if (std::any_of(std::begin(kNotOfTls), std::end(kNotOfTls), has)) return nullptr;
  for (const Section& section : kSections)
    if (std::any_of(section.marks.begin(), section.marks.end(), has)) return section.name;
  return nullptr;
}

using Message = std::unique_ptr<CMS_ContentInfo, decltype(&CMS_ContentInfo_free)>;

Message message_in(const fs::path& file) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> in(BIO_new_file(file.c_str(), "r"), BIO_free_all);
  BIO* content = nullptr;
  Message message(SMIME_read_CMS(in.get(), &content), CMS_ContentInfo_free);
  BIO_free_all(content);
  REQUIRE(message);
  return message;
}

struct Test {
  std::vector<pki::Identity> chain;  // leaf first
  std::vector<pki::Crl> crls;
};

Test read(const fs::path& file) {
  const Message message = message_in(file);
  Test test;
  CMS_SignerInfo* signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(message.get()), 0);
  STACK_OF(X509)* certificates = CMS_get1_certs(message.get());
  for (int i = 0; i < sk_X509_num(certificates); i++) {
    X509* certificate = sk_X509_value(certificates, i);
    const auto place = CMS_SignerInfo_cert_cmp(signer, certificate) == 0 ? test.chain.begin() : test.chain.end();
    test.chain.insert(place, {{certificate, X509_free}, nullptr});
  }
  sk_X509_free(certificates);
  STACK_OF(X509_CRL)* crls = CMS_get1_crls(message.get());
  for (int i = 0; i < sk_X509_CRL_num(crls); i++) test.crls.emplace_back(sk_X509_CRL_value(crls, i), X509_CRL_free);
  sk_X509_CRL_free(crls);
  REQUIRE(!test.chain.empty());
  REQUIRE(!test.crls.empty());
  return test;
}

pki::Identity anchor(const fs::path& folder) {
  std::ifstream in(folder / "certs" / "TrustAnchorRootCertificate.crt", std::ios::binary);
  const std::string der{std::istreambuf_iterator<char>(in), {}};
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return {{d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free}, nullptr};
}

struct Score {
  int right = 0, strict = 0, lenient = 0;
};

}  // namespace

TEST_CASE("trust PKITS: at least 157 of NIST's 158 tests for a TLS peer pass, and no verdict is too lenient") {
  const char* chosen = std::getenv("MQTT_RELAY_PKITS");
  const fs::path folder = chosen ? chosen : kVectors;
  INFO(folder << " is not there: `packaging/prerequisites test` installs it");
  REQUIRE(fs::is_directory(folder / "smime"));

  std::map<std::string, Score> scores;
  std::vector<std::string> wrong;
  int tests = 0;
  for (const auto& entry : fs::directory_iterator(folder / "smime")) {
    const std::string name = entry.path().stem().string().substr(std::string("Signed").size());
    const char* section = section_of(name);
    if (!section) continue;
    tests++;
    const Test test = read(entry.path());
    Validator by = trust_support::validator({anchor(folder)}, test.crls, {.revocation = trust::Revocation::chain});
    const trust::Verdict verdict = trust_support::judge(by, test.chain);
    // Again, with the CAs that are known now. The certificate at the end makes it another chain, and nothing else.
    auto longer = test.chain;
    longer.push_back(trust_support::ca());
    const trust::Verdict again = trust_support::judge(by, longer);
    CHECK((again.accepted() ? "" : again.refusal->text()) == (verdict.accepted() ? "" : verdict.refusal->text()));
    const bool wanted = name.starts_with("Valid");
    Score& score = scores[section];
    if (verdict.accepted() == wanted) {
      score.right++;
      continue;
    }
    (wanted ? score.strict : score.lenient)++;
    wrong.push_back(name + ": " + (verdict.accepted() ? "accepted" : verdict.refusal->text()));
    INFO(wrong.back());
    CHECK(kExceptions.contains(name));
  }
  Score sum;
  std::ostringstream table;
  for (const Section& section : kSections) {
    const Score& score = scores[section.name];
    table << std::left << std::setw(32) << section.name << score.right << " right, " << score.strict << " too strict, "
          << score.lenient << " too lenient\n";
    sum.right += score.right, sum.strict += score.strict, sum.lenient += score.lenient;
  }
  std::cout << "PKITS\n"
            << table.str() << std::left << std::setw(32) << "of " + std::to_string(tests) << sum.right << " right, "
            << sum.strict << " too strict, " << sum.lenient << " too lenient\n";
  for (const std::string& line : wrong) std::cout << "  " << line << "\n";
  for (const auto& [name, reason] : kExceptions) std::cout << "  exception: " << name << ", " << reason << "\n";
  CHECK(tests == 158);
  CHECK(sum.right >= 157);
  CHECK(sum.lenient == 0);
}
