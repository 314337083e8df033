// `mqtt-relay check`: results that depend on the clock. Integration tests run the shipped program for the rest.
#include "relayd/admin/check.h"

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
