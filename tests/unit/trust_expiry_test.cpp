// When the certificates, CAs and CRLs of a configuration expire.
#include "common/trust/expiry.h"

#include "common/trust/pem.h"
#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

namespace {

using namespace pki;
using trust::Expiries;
using trust::Expiry;
using trust_support::ca;
using trust_support::pem_of;
using Kind = Expiry::Kind;

Identity device(const std::string& name, int64_t until) {
  return issue(ca(), {.subject = cn(name), .until = until}, key("P-256", 9));
}

trust::Pem crl_file(const std::vector<pki::Crl>& crls) {
  trust::Pem file{"/devices.crl", ""};
  for (const auto& one : crls) file.text += pki::pem(one);
  return file;
}

}  // namespace

TEST_CASE("expiries are ordered by kind and time, each with its file and its subject", "[trust]") {
  Expiries found;
  found.add(crl_file({crl(ca(), {.until = kNow + kDay}), crl(ca(), {.until = 0})}), Kind::crl);
  found.add(pem_of({ca()}, "/ca.pem"), Kind::ca);
  found.add(pem_of({device("late", kNow + 9 * kDay), device("soon", kNow + kDay)}, "/own.pem"), Kind::certificate);
  found.add({}, Kind::ca);
  const auto all = std::move(found).take();
  REQUIRE(all.size() == 4);
  CHECK(all[0].kind == Kind::certificate);
  CHECK(all[0].file == "/own.pem");
  CHECK(all[0].subject == "CN=soon");
  CHECK(all[0].at == kNow + kDay);
  CHECK(all[1].subject == "CN=late");
  CHECK(all[2].kind == Kind::crl);  // the one without nextUpdate never expires
  CHECK(all[2].subject == "CN=Root");
  CHECK(all[3].kind == Kind::ca);
  CHECK(all[3].file == "/ca.pem");
}

TEST_CASE("of two certificates with one name in a file, the expiry of the first to expire is kept", "[trust]") {
  Expiries found;
  found.add(pem_of({device("same", kNow + 9 * kDay), device("same", kNow + kDay)}, "/own.pem"), Kind::certificate);
  found.add(pem_of({device("same", kNow + 5 * kDay)}, "/other.pem"), Kind::certificate);
  const auto all = std::move(found).take();
  REQUIRE(all.size() == 2);
  CHECK(all[0].at == kNow + kDay);
  CHECK(all[1].file == "/other.pem");
}

TEST_CASE("expiries are bounded, and our own certificates are kept before CAs", "[trust]") {
  Expiries found;
  std::vector<Identity> many;
  for (size_t i = 0; i < Expiries::kMost + 10; i++) many.push_back(device("ca" + std::to_string(i), kNow + kDay));
  found.add(pem_of(many, "/bundle.pem"), Kind::ca);
  found.add(pem_of({device("own", kNow + 300 * kDay)}, "/own.pem"), Kind::certificate);
  const auto all = std::move(found).take();
  REQUIRE(all.size() == Expiries::kMost);
  CHECK(all[0].subject == "CN=own");
}
