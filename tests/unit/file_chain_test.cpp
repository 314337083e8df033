// The chain in a device's certificate file, and the worker's question for it.
#include "relayd/tls/file_chain.h"

#include <openssl/evp.h>

#include <ctime>

#include "common/tls/spki.h"
#include "common/trust/validator.h"
#include "common/trust/validity.h"
#include "relayd/connector/certificate_file.h"
#include "relayd/session/file_certificate.h"
#include "tests/pki/certificates.h"
#include "tests/unit/channel_support.h"
#include "tests/unit/scratch_dir.h"

using namespace unit;
using relayd::CertificateFault;
using relayd::ConnectorClient;
using relayd::FileCertificate;
using relayd::tls::chain_in_file;
using relayd::tls::FileChain;

namespace {

struct Chain {
  pki::Identity root, leaf;
  std::string text() const { return leaf.pem() + root.pem(); }
};

Chain chain(const std::string& kind = "P-256", int64_t from = pki::kNow - pki::kDay,
            int64_t until = pki::kNow + pki::kDay) {
  const auto root = pki::self_signed({.subject = pki::cn("ca"), .extensions = pki::kCa}, pki::key("P-256", 1));
  return {root, pki::issue(root, {.subject = pki::cn("thermo"), .from = from, .until = until}, pki::key(kind))};
}

std::string as_pem(const std::string& label, const pki::Der& der) {
  std::string text(der.size() * 2, '\0');
  text.resize(static_cast<size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), der.data(), static_cast<int>(der.size()))));
  return "-----BEGIN " + label + "-----\n" + text + "\n-----END " + label + "-----\n";
}

void expect_problem(const FileChain& found, const std::string& problem, bool out_of_date = false) {
  CHECK(found.chain.empty());
  CHECK(found.problem == problem);
  CHECK(found.out_of_date == out_of_date);
}

struct GotCertificate {
  int calls = 0;
  FileCertificate::Result result;
  static void take(void* self, FileCertificate::Result result) {
    auto* got = static_cast<GotCertificate*>(self);
    got->calls++;
    got->result = std::move(result);
  }
};

// Both halves of the channel, and a directory.
struct WiredToFiles : Half {
  ScratchDir scratch;
  std::optional<ConnectorClient> client;
  WiredToFiles() : Half({}) {
    certificates = std::make_shared<common::Fd>(relayd::connector::open_certificates(scratch.path()));
    client.emplace(&loop, std::move(worker_end));
  }
  ~WiredToFiles() { client.reset(); }
  FileCertificate::Result certificate_of(const std::string& client_id) {
    GotCertificate got;
    const FileCertificate asked(*client, client_id, kLong, &got, GotCertificate::take);
    CHECK(got.calls == 0);
    run_until([&] { return got.calls > 0; });
    return got.result;
  }
};

}  // namespace

TEST_CASE("certificate file: the chain is the file's, the leaf first, and its key's hash is the leaf's") {
  for (const char* kind : {"P-256", "P-384", "RSA:2048", "ED25519"}) {
    CAPTURE(kind);
    const Chain made = chain(kind);
    const auto found = chain_in_file("A comment\n" + made.text(), pki::kNow);
    REQUIRE(found.problem.empty());
    const auto certificates = found.chain.certificates();
    REQUIRE(certificates.size() == 2);
    const auto leaf = made.leaf.der(), root = made.root.der();
    CHECK(std::ranges::equal(certificates[0], leaf));
    CHECK(std::ranges::equal(certificates[1], root));
    CHECK(found.chain.spki == *common::tls::spki_hash(leaf));
  }
}

TEST_CASE("certificate file: OpenSSL's trust settings are left out") {
  const Chain made = chain();
  const auto settings = pki::Der{0x30, 0x00};
  auto der = made.leaf.der();
  der.insert(der.end(), settings.begin(), settings.end());
  const auto found = chain_in_file(as_pem("TRUSTED CERTIFICATE", der), pki::kNow);
  CHECK(std::ranges::equal(found.chain.der, made.leaf.der()));
}

TEST_CASE("certificate file: what can't be used says where and why") {
  const Chain made = chain();
  const std::string leaf = made.leaf.pem();
  expect_problem(chain_in_file("-----BEGIN X-----\nMIIB\n-----END X-----\n", pki::kNow),
                 "it holds no \"-----BEGIN CERTIFICATE-----\"");
  expect_problem(chain_in_file("#\n" + leaf.substr(0, 200), pki::kNow),
                 "line 2: \"CERTIFICATE\" has no END line: the file was cut, or a line is missing");
  expect_problem(chain_in_file("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", pki::kNow),
                 "line 1: \"CERTIFICATE\" is damaged: the text between its BEGIN and END lines is not base64");
  expect_problem(chain_in_file(leaf + "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", pki::kNow),
                 "line " + std::to_string(1 + std::ranges::count(leaf, '\n')) +
                     ": \"CERTIFICATE\" can't be read: its content is not an X.509 certificate");
  std::string many;
  for (size_t i = 0; i <= trust::Validator::kMaxChain; i++) many += leaf;
  expect_problem(chain_in_file(many, pki::kNow), "it has more than 32 certificates");
}

TEST_CASE("certificate file: a certificate that is not valid now is named with its date, to the second") {
  const Chain made = chain("P-256", pki::kNow, pki::kNow + 60);
  CHECK(chain_in_file(made.text(), pki::kNow).problem.empty());
  CHECK(chain_in_file(made.text(), pki::kNow + 60).problem.empty());
  expect_problem(chain_in_file(made.text(), pki::kNow - 1),
                 "the device's certificate is not valid before 2027-01-15 08:00:00 UTC", true);
  expect_problem(chain_in_file(made.text(), pki::kNow + 61),
                 "the device's certificate has expired on 2027-01-15 08:01:00 UTC", true);
  // After 2050 a date has another form (RFC 5280 section 4.1.2.5).
  const auto late = chain("P-256", pki::kNow, pki::kNow + 60 * 365 * pki::kDay);
  CHECK(trust::validity_of(late.leaf.der())->until == pki::kNow + 60 * 365 * pki::kDay);
}

TEST_CASE("certificate file: a device's certificate comes from its file, as it is at that moment") {
  WiredToFiles wired;
  wired.begin();
  CHECK(wired.certificate_of("thermo").fault == CertificateFault::missing);
  const int64_t now = time(nullptr);
  const Chain first = chain("P-256", now - 60, now + 3600), second = chain("P-384", now - 60, now + 3600);
  wired.scratch.put("thermo.crt", first.text());
  CHECK(wired.certificate_of("thermo").chain.spki == *common::tls::spki_hash(first.leaf.der()));
  wired.scratch.put("thermo.crt", second.text());
  const auto found = wired.certificate_of("thermo");
  CHECK_FALSE(found.fault);
  CHECK(found.chain.spki == *common::tls::spki_hash(second.leaf.der()));
  wired.scratch.put("thermo.crt", "no PEM");
  CHECK(wired.certificate_of("thermo").fault == CertificateFault::unusable);
  wired.scratch.put("thermo.crt", "-----BEGIN CERTIFICATE-----\n");
  CHECK(wired.certificate_of("thermo").fault == CertificateFault::unusable);
  wired.scratch.put("thermo.crt", chain("P-256", now - 60, now - 1).text());
  CHECK(wired.certificate_of("thermo").fault == CertificateFault::not_valid);
}

TEST_CASE("certificate file: a question that no connector answers ends at its deadline, once") {
  WiredToFiles wired;  // without a connector
  GotCertificate got;
  const FileCertificate asked(*wired.client, "thermo", std::chrono::milliseconds(1), &got, GotCertificate::take);
  wired.run_until([&] { return got.calls > 0; });
  CHECK(got.result.fault == CertificateFault::timeout);
  wired.begin();
  wired.turn();
  CHECK(got.calls == 1);
}

TEST_CASE("certificate file: the next connector answers what the one before left, and nobody what is taken back") {
  WiredToFiles wired;
  wired.scratch.put("thermo.crt", "no PEM");
  wired.begin();
  GotCertificate kept, taken_back;
  const FileCertificate first(*wired.client, "thermo", kLong, &kept, GotCertificate::take);
  auto second = std::make_unique<FileCertificate>(*wired.client, "thermo", kLong, &taken_back, GotCertificate::take);
  wired.channel.reset();  // it has read nothing
  second.reset();
  wired.begin();
  wired.run_until([&] { return kept.calls > 0; });
  CHECK(kept.result.problem.starts_with("it is not PEM text"));
  CHECK(taken_back.calls == 0);
}

TEST_CASE("certificate file: an answer of another kind is none") {
  WiredToFiles wired;
  const auto say = [&](const channel::Answer& answer) {
    const auto bytes = channel::encode(answer);
    REQUIRE(common::send_datagram(wired.duplicate.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  };
  GotCertificate got;
  const FileCertificate asked(*wired.client, "thermo", kLong, &got, GotCertificate::take);
  say({0, channel::Began{}});
  say({1, channel::KeydAnswer{"x"}});
  wired.run_until([&] { return got.calls > 0; });
  CHECK(got.result.fault == CertificateFault::unusable);
}
