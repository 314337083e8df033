// Which chains the validator accepts, and what it says about those that it refuses.
#include "common/trust/validator.h"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <ctime>

#include "tests/pki/certificates.h"
#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

namespace {

using namespace pki;
using trust::Policy;
using trust::Purpose;
using trust::Revocation;
using trust::Validator;
using trust_support::accepts;
using trust_support::ca;
using trust_support::judge;
using trust_support::validator;

Identity device(const Identity& by, Template shape = {}) {
  if (shape.subject.empty()) shape.subject = cn("dev1");
  return issue(by, shape, key("P-256", 9));
}
Identity sub(const Identity& by, const std::string& name, int number, const std::string& extensions = kCa) {
  return issue(by, {.subject = cn(name), .extensions = extensions}, key("P-256", number));
}

}  // namespace

TEST_CASE("trust: a device that a CA of the trust file issued is accepted, another is not") {
  Validator devices = validator({ca()});
  CHECK(accepts(devices, {device(ca())}));

  const auto refused = judge(devices, {device(root("Other", 2))});
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  CHECK(refused.refusal->position == 0);
  CHECK(refused.refusal->alert == common::tls::Alert::unknown_ca);
  CHECK(refused.refusal->text() ==
        "certificate 0 (\"CN=dev1\") was issued by \"CN=Other\", which is not in /ca.pem and was not sent");
}

TEST_CASE("trust: the order of the sent certificates, extra ones and the root itself make no difference") {
  Validator devices = validator({ca()});
  const Identity first = sub(ca(), "First", 2), second = sub(first, "Second", 3), leaf = device(second);
  const Identity unrelated = root("Unrelated", 4);
  const Identity expired = issue(
      ca(), {.subject = cn("Old"), .extensions = kCa, .from = kNow - 9 * kDay, .until = kNow - kDay}, key("P-256", 5));
  CHECK(accepts(devices, {leaf, second, first}));
  CHECK(accepts(devices, {leaf, first, second}));
  CHECK(accepts(devices, {leaf, second, second, first}));
  CHECK(accepts(devices, {leaf, second, first, ca()}));
  CHECK(accepts(devices, {leaf, unrelated, second, expired, first}));
  CHECK(!accepts(devices, {leaf, first}));
}

TEST_CASE("trust: unneeded cross-signatures of the root do no harm") {
  const Identity a = root("A", 1), b = root("B", 2);
  const Identity cross = issue(b, {.subject = cn("A"), .extensions = kCa}, a.key);
  const Identity middle = sub(a, "Int of A", 3), leaf = device(middle);
  Validator trusts_a = validator({a}), trusts_b = validator({b});
  CHECK(accepts(trusts_a, {leaf, middle, cross}));
  CHECK(accepts(trusts_b, {leaf, middle, cross}));
  CHECK(!accepts(trusts_b, {leaf, middle}));
}

TEST_CASE("trust: an intermediate that one device sends is not used for another") {
  Validator devices = validator({ca()});
  const Identity middle = sub(ca(), "Int", 2), leaf = device(middle);
  REQUIRE(accepts(devices, {leaf, middle}));
  CHECK(!accepts(devices, {leaf}));
  CHECK(accepts(devices, {leaf, middle}));
  CHECK(!accepts(devices, {device(middle, {.subject = cn("dev2")})}));
}

TEST_CASE("trust: an intermediate's extended key usage and name constraints hold for every certificate below it") {
  Validator devices = validator({ca()});
  const Identity servers_only = sub(ca(), "Servers", 2, std::string(kCa) + "extendedKeyUsage=serverAuth\n");
  const auto wrong = judge(devices, {device(servers_only), servers_only});
  REQUIRE(wrong.refusal);
  CHECK(wrong.refusal->position == 1);
  CHECK(wrong.refusal->problem.find("lacks clientAuth") != std::string::npos);

  const Identity limited =
      sub(ca(), "Limited", 3, std::string(kCa) + "nameConstraints=critical,permitted;dirName:acme\n[acme]\nO=Acme\n");
  const Identity itself =
      issue(limited, {.subject = {{"O", "Acme"}, {"CN", "Sub"}}, .extensions = kCa}, key("P-256", 4));
  const Identity inside = device(itself, {.subject = {{"O", "Acme"}, {"CN", "dev1"}}});
  const Identity outside = device(itself, {.subject = {{"O", "Other"}, {"CN", "dev1"}}});
  CHECK(accepts(devices, {inside, itself, limited}));
  const auto refused = judge(devices, {outside, itself, limited});
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->code == X509_V_ERR_PERMITTED_VIOLATION);
  CHECK(refused.refusal->position == 0);
}

TEST_CASE("trust: version 1, serial 0 and negative, compressed points, keyCertSign in a leaf are accepted") {
  Validator devices = validator({ca()});
  CHECK(accepts(devices, {device(ca(), {.version = 1})}));
  CHECK(accepts(devices, {device(ca(), {.serial = "00"})}));
  CHECK(accepts(devices, {device(ca(), {.serial = "-7F"})}));
  CHECK(accepts(devices, {device(ca(), {.extensions = "keyUsage=digitalSignature,keyCertSign\n"})}));
  CHECK(accepts(devices, {issue(ca(), {.subject = cn("dev1")}, key("P-256:compressed"))}));
  Validator of_compressed =
      validator({self_signed({.subject = cn("C"), .extensions = kCa}, key("P-256:compressed", 1))});
  CHECK(accepts(of_compressed,
                {device(self_signed({.subject = cn("C"), .extensions = kCa}, key("P-256:compressed", 1)))}));
}

TEST_CASE("trust: a root that signed itself with SHA-1 is an anchor, a device's certificate with SHA-1 is refused") {
  const Identity old =
      self_signed({.subject = cn("Old"), .extensions = kCa, .signing = {.hash = "SHA1"}}, key("RSA:2048"));
  Validator devices = validator({old});
  CHECK(accepts(devices, {device(old)}));
  CHECK(accepts(devices, {device(old), old}));
  const auto weak = judge(devices, {device(old, {.signing = {.hash = "SHA1"}})});
  REQUIRE(weak.refusal);
  CHECK(weak.refusal->problem.find("SHA-1") != std::string::npos);

  const auto small = judge(devices, {issue(old, {.subject = cn("dev1")}, key("RSA:1024"))});
  REQUIRE(small.refusal);
  CHECK(small.refusal->code == X509_V_ERR_EE_KEY_TOO_SMALL);
}

TEST_CASE("trust: a leaf whose key TLS can't use here is refused by certificate, cause and remedy, its CA is not") {
  const std::pair<const char*, const char*> kinds[] = {
      {"RSA:8192", "has an RSA key of 8192 bits, which TLS can't use here"},
      {"ED448", "has a key of the kind ED448, which TLS"},
      {"secp256k1", "has a key on the curve secp256k1, which TLS"},
      {"P-224", "has a key on the curve secp224r1, which TLS"}};
  for (const Purpose purpose : {Purpose::device, Purpose::remote})
    for (const auto& [kind, words] : kinds) {
      Validator by = validator({ca()}, {}, {.purpose = purpose});
      const char* const extensions = purpose == Purpose::device ? kDevice : kServer;
      const auto refused = judge(by, {issue(ca(), {.subject = cn("odd"), .extensions = extensions}, key(kind))});
      REQUIRE(refused.refusal);
      CHECK(refused.refusal->text().starts_with("certificate 0 (\"CN=odd\") " + std::string(words)));
      CHECK(refused.refusal->advice.find("have it issued for a P-256") != std::string::npos);
      CHECK(refused.refusal->alert == common::tls::Alert::unsupported_certificate);
      Validator of_odd = validator({self_signed({.subject = cn("Odd CA"), .extensions = kCa}, key(kind))});
      CHECK(accepts(of_odd, {device(self_signed({.subject = cn("Odd CA"), .extensions = kCa}, key(kind)))}));
    }
  Validator devices = validator({ca()});
  for (const char* kind :
       {"P-256", "P-384", "P-521", "P-256:compressed", "ED25519", "RSA:2048", "RSA:4096", "RSA-PSS:2048"})
    CHECK(accepts(devices, {issue(ca(), {.subject = cn("dev1")}, key(kind))}));
}

TEST_CASE("trust: depth counts the certificates between leaf and root") {
  std::vector<Identity> chain{ca()};
  for (int i = 1; i <= 11; i++) chain.push_back(sub(chain.back(), "Level " + std::to_string(i), 20 + i));
  const auto below = [&](int intermediates) {
    std::vector<Identity> sent{device(chain[static_cast<size_t>(intermediates)])};
    for (int i = intermediates; i > 0; i--) sent.push_back(chain[static_cast<size_t>(i)]);
    return sent;
  };
  Validator usual = validator({ca()}, {}, {.depth = 10});
  CHECK(accepts(usual, below(9)));
  CHECK(accepts(usual, below(10)));
  const auto deep = judge(usual, below(11));
  REQUIRE(deep.refusal);
  CHECK(deep.refusal->code == X509_V_ERR_CERT_CHAIN_TOO_LONG);
  CHECK(deep.refusal->problem.find("10") != std::string::npos);
  Validator deeper = validator({ca()}, {}, {.depth = 11});
  CHECK(accepts(deeper, below(11)));
  Validator flat = validator({ca()}, {}, {.depth = 0});
  CHECK(accepts(flat, below(0)));
  CHECK(!accepts(flat, below(1)));
}

TEST_CASE("trust: an intermediate in the trust file ends a chain only with partial_chain") {
  const Identity middle = sub(ca(), "Int", 2), leaf = device(middle);
  Validator whole = validator({middle}), partial = validator({middle}, {}, {.partial_chain = true});
  const auto refused = judge(whole, {leaf});
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->advice.find("partial_chain") != std::string::npos);
  CHECK(accepts(partial, {leaf}));
}

TEST_CASE("trust: the remote's certificate must be for the configured name, and a mismatch names both") {
  const Identity server = issue(ca(), {.subject = cn("x"), .extensions = kServer}, key("P-256", 9));
  Validator right = validator({ca()}, {}, {.purpose = Purpose::remote, .name = "localhost"});
  Validator dotted = validator({ca()}, {}, {.purpose = Purpose::remote, .name = "LocalHost."});
  Validator wrong = validator({ca()}, {}, {.purpose = Purpose::remote, .name = "broker.example"});
  Validator address = validator({ca()}, {}, {.purpose = Purpose::remote, .name = "127.0.0.1"});
  CHECK(accepts(right, {server}));
  CHECK(accepts(dotted, {server}));
  const auto refused = judge(wrong, {server});
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->problem == "is for DNS:localhost, not for \"broker.example\"");
  CHECK(judge(address, {server}).refusal->code == X509_V_ERR_IP_ADDRESS_MISMATCH);
  CHECK(!accepts(right, {device(ca())}));  // a device's certificate is not for servers
}

TEST_CASE(
    "trust: a chain over the bounds, or with bytes that are not a certificate, is refused before any costly work") {
  Validator devices = validator({ca()});
  std::vector<Identity> many(33, device(ca()));
  CHECK(judge(devices, many).refusal->problem.find("33 certificates") != std::string::npos);
  many.resize(32, device(ca()));
  CHECK(accepts(devices, many));
  const std::vector<uint8_t> large(101 * 1024, 0x30), junk{0x30, 0x03, 0x02, 0x01};
  const Der leaf = device(ca()).der();
  Der trailing = leaf;
  trailing.push_back(0);
  const auto judged = [&](std::vector<std::span<const uint8_t>> chain) { return devices.validate(chain, kNow); };
  CHECK(judged({}).refusal);
  CHECK(judged({leaf, large}).refusal->problem.find("bytes") != std::string::npos);
  CHECK(judged({leaf, junk}).refusal->position == 1);
  CHECK(judged({trailing}).refusal->position == 0);
}

TEST_CASE("trust: a chain built to be costly stays cheap within the same bounds as OpenSSL's") {
  const auto cheaply = [](Validator& by, const std::vector<Identity>& chain, bool accepted) {
    constexpr double kMost = 1.0;  // seconds of processor time; 1/40 of it was measured
    const clock_t before = clock();
    CHECK(accepts(by, chain) == accepted);
    CHECK(static_cast<double>(clock() - before) / CLOCKS_PER_SEC < kMost);
  };
  const auto list = [](const std::string& begin, const std::string& domain, int count) {
    std::string text = begin;
    for (int i = 0; i < count; i++) text += "DNS." + std::to_string(i) + "=a" + std::to_string(i) + domain + "\n";
    return text;
  };
  Validator devices = validator({ca()}, {}, {.depth = 32});

  std::vector<Identity> alike{device(ca(), {.issuer = cn("X")})};
  for (int i = 0; i < 31; i++) alike.push_back(sub(sub(ca(), "X", 2), "X", 2));
  cheaply(devices, alike, false);

  std::vector<Identity> deep{ca()};
  for (int i = 0; i < 30; i++)
    deep.push_back(issue(deep.back(), {.subject = cn(std::to_string(i)), .extensions = kCa}, key("RSA:4096")));
  deep.front() = device(deep.back());
  std::reverse(deep.begin() + 1, deep.end());
  cheaply(devices, deep, true);

  // The names are compared with the excluded subtrees, and match none of them.
  std::string constraints = list(std::string(kCa) + "nameConstraints=critical,@nc\n[nc]\n", ".example", 1000);
  for (size_t at = 0; (at = constraints.find("\nDNS.", at)) != std::string::npos; at += 10)
    constraints.insert(at + 1, "excluded;");
  const auto constrained = [&](const Identity& by, const char* name) { return sub(by, name, 3, constraints); };
  const Identity first = constrained(ca(), "1"), second = constrained(first, "2"), third = constrained(second, "3");
  const Identity many = device(third, {.extensions = list("subjectAltName=@s\n[s]\n", ".other", 1000)});
  cheaply(devices, {many, third, second, first}, true);
  const Identity more = device(first, {.extensions = list("subjectAltName=@s\n[s]\n", ".other", 1100)});
  CHECK(judge(devices, {more, first}).refusal->problem.find("too many names") != std::string::npos);
}
