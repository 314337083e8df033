// CRLs as files hold them: what they mean for each certificate, and what the operator sees.
#include <openssl/x509_vfy.h>

#include "common/config.h"
#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

namespace {

using namespace pki;
using trust::Revocation;
using trust::Validator;
using trust_support::accepts;
using trust_support::ca;
using trust_support::judge;
using trust_support::validator;

const Identity& other_ca() {
  static const Identity made = root("Other", 2);
  return made;
}
Identity device(const Identity& by, const std::string& name) {
  return issue(by, {.subject = cn(name)}, key("P-256", 9));
}
const Identity& good() {
  static const Identity made = device(ca(), "good");
  return made;
}
const Identity& bad() {
  static const Identity made = device(ca(), "bad");
  return made;
}

// The validator's concerns, one line each.
std::string concerns_of(const Validator& by, int64_t now = kNow) {
  std::string text;
  for (const auto& concern : by.concerns(now)) text += concern.text() + "\n";
  return text;
}
bool says(const Validator& by, const std::string& words, int64_t now = kNow) {
  INFO(concerns_of(by, now));
  const bool found = concerns_of(by, now).find(words) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("trust: a revoked device is refused with the alert that says so, and another is accepted") {
  Validator devices = validator({ca()}, {crl(ca(), {.revoked = {bad()}})});
  CHECK(accepts(devices, {good()}));
  const auto refused = judge(devices, {bad()});
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->text() == "certificate 0 (\"CN=bad\") was revoked on 2027-01-14 08:00:00 UTC by \"CN=Root\"");
  CHECK(refused.refusal->alert == common::tls::Alert::certificate_revoked);
  CHECK(concerns_of(devices).empty());
}

TEST_CASE("trust: a CRL that expired or is not valid yet refuses only its own CA's devices, until the time is right") {
  const Identity foreign = device(other_ca(), "foreign");
  Validator devices =
      validator({ca(), other_ca()}, {crl(ca(), {.from = kNow - 9 * kDay, .until = kNow - 60}), crl(other_ca())});
  CHECK(accepts(devices, {foreign}));
  CHECK(judge(devices, {good()}).refusal->code == X509_V_ERR_CRL_HAS_EXPIRED);
  says(devices, "/crl.pem: the CRL of \"CN=Root\" expired on 2027-01-15 07:59:00 UTC; get that CA's current CRL");
  CHECK(accepts(devices, {good()}, kNow - 61));

  Validator early = validator({ca()}, {crl(ca(), {.from = kNow + 60})});
  const auto refused = judge(early, {good()});
  CHECK(refused.refusal->code == X509_V_ERR_CRL_NOT_YET_VALID);
  CHECK(refused.refusal->problem.find("this gateway's clock says 2027-01-15 08:00:00 UTC") != std::string::npos);
  says(early,
       "is not valid before 2027-01-15 08:01:00 UTC, and this gateway's clock says 2027-01-15 08:00:00 UTC; set");
  CHECK(accepts(early, {good()}, kNow + 60));
}

TEST_CASE("trust: a CRL without nextUpdate counts") {
  Validator devices = validator({ca()}, {crl(ca(), {.revoked = {bad()}, .until = 0})});
  CHECK(accepts(devices, {good()}));
  CHECK(!accepts(devices, {bad()}));
  CHECK(accepts(devices, {good()}, kNow + 300 * kDay));
  says(devices, "has no nextUpdate");
}

TEST_CASE("trust: of two CRLs of a CA the newer one is used, wherever it is in the file, and the older one is named") {
  const Crl old = crl(ca(), {.from = kNow - 9 * kDay, .number = 4}),
            current = crl(ca(), {.revoked = {bad()}, .number = 5});
  const Crl same_day = crl(ca(), {.revoked = {good()}, .number = 6});
  for (const auto& lists : {std::vector{old, current}, std::vector{current, old}, std::vector{current, current}}) {
    Validator devices = validator({ca()}, lists);
    CHECK(accepts(devices, {good()}));
    CHECK(!accepts(devices, {bad()}));
    says(devices, "is not used: the file holds a newer one");
  }
  for (const auto& lists : {std::vector{current, same_day}, std::vector{same_day, current}}) {
    Validator devices = validator({ca()}, lists);  // same date: the higher number is used
    CHECK(!accepts(devices, {good()}));
    CHECK(accepts(devices, {bad()}));
  }
}

TEST_CASE("trust: a CRL of a CA that is gone, or that devices send, refuses no device") {
  const Identity sub = issue(ca(), {.subject = cn("Sub"), .extensions = kCa}, key("P-256", 3));
  const Identity below = device(sub, "below"), revoked = device(sub, "revoked");
  Validator devices = validator({ca()}, {crl(ca()), crl(other_ca()), crl(sub, {.revoked = {revoked}})});
  CHECK(accepts(devices, {good()}));
  CHECK(accepts(devices, {below, sub}));
  CHECK(judge(devices, {revoked, sub}).refusal->code == X509_V_ERR_CERT_REVOKED);
  says(devices, "the CRL of \"CN=Other\" belongs to a CA that is not in /ca.pem");
}

TEST_CASE("trust: the devices of a CA without a CRL in the file are refused, and a concern names the CA") {
  Validator devices = validator({ca(), other_ca()}, {crl(ca())});
  const auto refused = judge(devices, {device(other_ca(), "foreign")});
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->problem ==
        "can't be checked for revocation: /crl.pem holds no CRL of its issuer \"CN=Other\" that covers it");
  says(devices, "no CRL of \"CN=Other\" is in the file");
}

TEST_CASE(
    "trust: a critical issuingDistributionPoint is understood, an unknown critical extension refuses and is named") {
  Validator known =
      validator({ca()}, {crl(ca(), {.revoked = {bad()},
                                    .extensions = "issuingDistributionPoint=critical,@idp\n[idp]\nonlyuser=TRUE\n"})});
  CHECK(accepts(known, {good()}));
  CHECK(!accepts(known, {bad()}));
  Validator unknown = validator({ca()}, {crl(ca(), {.extensions = "1.3.6.1.4.1.99999.1=critical,ASN1:NULL\n"})});
  CHECK(judge(unknown, {good()}).refusal->code == X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION);
  says(unknown, "has an unknown critical extension, 1.3.6.1.4.1.99999.1");
}

TEST_CASE("trust: a CRL that its CA did not sign causes refusals, and is named") {
  Validator devices = validator({ca()}, {crl(ca(), {.signing = {.broken = true}})});
  CHECK(!accepts(devices, {good()}));
  says(devices, "is not signed by the key of that CA");
}

TEST_CASE("trust: a CA that has a new key and its old name is an anchor twice, each with its own CRL and no concern") {
  const Identity renewed = root("Root", 4);
  const CrlTemplate keyed{.extensions = "authorityKeyIdentifier=keyid:always\n"};
  CrlTemplate revoking = keyed;
  revoking.revoked = {bad()};
  Validator devices = validator({ca(), renewed}, {crl(ca(), revoking), crl(renewed, keyed)});
  CHECK(accepts(devices, {good()}));
  CHECK(!accepts(devices, {bad()}));
  CHECK(accepts(devices, {device(renewed, "later")}));
  CHECK(concerns_of(devices).empty());
}

TEST_CASE("trust: CRLs are checked for the leaf, or for the whole chain if so configured") {
  const Identity sub = issue(ca(), {.subject = cn("Sub"), .extensions = kCa}, key("P-256", 3));
  const std::vector<Identity> chain{device(sub, "below"), sub};
  const std::vector<Crl> lists{crl(ca(), {.revoked = {sub}}), crl(sub)};
  Validator leaf = validator({ca()}, lists), all = validator({ca()}, lists, {.revocation = Revocation::chain});
  CHECK(accepts(leaf, chain));
  const auto refused = judge(all, chain);
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->code == X509_V_ERR_CERT_REVOKED);
  CHECK(refused.refusal->position == 1);
  CHECK(refused.refusal->subject == "CN=Sub");
}

TEST_CASE(
    "trust: CAs that expired, are not valid yet, have too small a key or lead to no root are named, and the others are "
    "used") {
  const auto at = [](const std::string& name, int number, int64_t from, int64_t until) {
    return self_signed({.subject = cn(name), .extensions = kCa, .from = from, .until = until}, key("P-256", number));
  };
  const Identity middle = issue(other_ca(), {.subject = cn("Int"), .extensions = kCa}, key("P-256", 5));
  const Identity small = self_signed({.subject = cn("Small"), .extensions = kCa}, key("RSA:1024"));
  Validator devices =
      validator({at("Old", 3, kNow - 9, kNow - 1), at("Young", 4, kNow + 9, kNow + 99), middle, small, ca()});
  CHECK(accepts(devices, {good()}));
  says(devices, "/ca.pem: the CA \"CN=Old\" expired on");
  says(devices, "the CA \"CN=Young\" is not valid before 2027-01-15 08:00:09 UTC, and this gateway's clock says");
  says(devices, "the CA \"CN=Int\" is not a root, and its issuer \"CN=Other\" is not there");
  says(devices, "the CA \"CN=Small\" has a key that is too small");
  const auto concerns = devices.concerns(kNow);
  using Kind = trust::Concern::Kind;
  REQUIRE(concerns.size() == 4);
  CHECK(concerns[0].kind == Kind::expired);
  CHECK(concerns[1].kind == Kind::not_yet_valid);
  CHECK(concerns[2].kind == Kind::no_root);
  CHECK(concerns[3].kind == Kind::small_key);
  CHECK(devices.concerns(kNow + 10).size() == 3);
  CHECK(validator({ca()}).concerns(kNow).empty());
}

TEST_CASE("trust: a CRL file that can't be read is an error, and so is a trust file without a CA") {
  const std::string whole = pki::pem(crl(ca()));
  const trust::Pem anchors{"/ca.pem", ca().pem(), "listener.cacertfile"};
  const trust::Pem cut{"/crl.pem", whole + whole.substr(0, whole.size() - 30), "listener.crlfile"};
  CHECK_THROWS_AS((Validator{anchors, cut, {}}), common::ConfigError);
  CHECK_THROWS_AS((Validator{{"f", whole}, {}, {}}), common::ConfigError);
}
