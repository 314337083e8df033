// `mqtt-relay check`: results that depend on the clock. Integration tests run the shipped program for the rest.
#include "relayd/admin/check.h"

#include <filesystem>

#include "keyd_support.h"
#include "relayd/tls/inspect.h"

using namespace relayd;
using namespace relayd::admin;
using keyd_test::ScratchDir;

namespace {

struct Files {
  Files() {
    const std::string pem = witness::certificate(witness::Key::generate("P-256"));
    context.config.remote.cacertfile = scratch.put("certificate.pem", pem);
    context.config.listeners.emplace_back().certfiles = {context.config.remote.cacertfile};
    facts = tls::facts_of(tls::Pem{"certificate.pem", pem}).at(0);
  }
  ScratchDir scratch;
  CheckContext context;
  tls::CertificateFacts facts;
};

bool has(const std::vector<std::string>& details, const std::string& part) {
  return details.size() == 1 && details[0].find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("check of relayd: a certificate that will expire soon is reported", "[relayd-check]") {
  Files files;
  const auto& [name, der, from, until] = files.facts;
  REQUIRE(from < until);
  const struct {
    int64_t now;
    Result listener, authority;  // with several authorities, one bad one affects only the certificates that it issued
    std::string word;
  } cases[] = {{from - 1, Result::error, Result::warning, "is not valid before"},
               {until + 1, Result::error, Result::warning, "expired on"},
               {until - 60, Result::warning, Result::warning, "expires on " + common::day_of(until)}};
  for (const auto& [now, listener, authority, word] : cases) {
    INFO(word);
    files.context.now = now;
    const Check shown = check_listener_certificate(files.context), trusted = check_remote_authorities(files.context);
    CHECK(shown.result == listener);
    CHECK(trusted.result == authority);
    CHECK(has(shown.details, word));
    CHECK(has(trusted.details, word));
    CHECK_FALSE(shown.fix.empty());
    CHECK_FALSE(trusted.fix.empty());
  }
}

TEST_CASE("check of relayd: certificate files that can't be used, or not for long, are named", "[relayd-check]") {
  ScratchDir scratch;
  CheckContext context;
  CHECK(check_device_certificates(context).result == Result::skipped);
  context.config.remote.certificate = Config::Remote::Certificate::file;
  context.config.remote.certs_dir = scratch.path() + "/absent";
  CHECK(check_device_certificates(context).result == Result::error);
  context.config.remote.certs_dir = scratch.path();
  const std::string pem = witness::certificate(witness::Key::generate("P-256"));
  const auto facts = tls::facts_of(tls::Pem{"certificate.pem", pem}).at(0);
  scratch.put("thermo.crt", pem);
  scratch.put("README", "no certificate");
  const auto check = [&](int64_t now) {
    context.now = now;
    return check_device_certificates(context);
  };
  Check found = check(facts.not_before);
  if (facts.not_after - facts.not_before > 30 * 86'400) {
    CHECK(found.result == Result::ok);
    CHECK(found.found == scratch.path() + ": 1 certificate file");
  }
  found = check(facts.not_after - 60);
  CHECK(found.result == Result::warning);
  CHECK(has(found.details, "thermo.crt: expires on " + common::day_of(facts.not_after)));
  found = check(facts.not_after + 1);
  CHECK(found.result == Result::error);
  CHECK(has(found.details, "thermo.crt: the device's certificate has expired on"));
  scratch.put("thermo.crt", pem + "-----BEGIN PRIVATE KEY-----");
  found = check(facts.not_before);
  CHECK(found.result == Result::error);
  CHECK(has(found.details, "thermo.crt: it holds a private key"));
  CHECK_FALSE(found.fix.empty());
  for (int i = 0; i < 20; i++) scratch.put("d" + std::to_string(i) + ".crt", "x");
  found = check(facts.not_before);
  CHECK(found.details.size() == 10);
  CHECK(found.found.find("21 certificate files; 21 can't be used") != std::string::npos);
}
