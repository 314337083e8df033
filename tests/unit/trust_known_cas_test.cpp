// A validator that knows the CAs of earlier chains judges as a new one does, and at less cost.
#include "common/trust/known_cas.h"

#include <openssl/x509_vfy.h>

#include <random>

#include "tests/unit/catch.h"
#include "tests/unit/trust_support.h"

namespace {

using namespace pki;
using trust::Validator;
using trust_support::accepts;
using trust_support::judge;
using trust_support::validator;

Identity sub(const Identity& by, const std::string& name, int number, Template shape = {}) {
  shape.subject = cn(name);
  if (shape.extensions == kDevice) shape.extensions = kCa;
  return issue(by, shape, key("P-256", number));
}

Identity device(const Identity& by, Template shape = {}) {
  static int made = 0;
  shape.subject = cn("dev" + std::to_string(made++));
  return issue(by, shape, key("P-256", 9));
}

struct Cost {
  uint64_t parsed, signatures;
  bool operator==(const Cost&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Cost& cost) {
    return out << cost.parsed << " parsed, " << cost.signatures << " signatures";
  }
};

// What one accepted chain costs.
Cost cost(Validator& by, const std::vector<Identity>& chain, int64_t now = kNow) {
  const auto before = by.counts();
  CHECK(accepts(by, chain, now));
  return {by.counts().parsed - before.parsed, by.counts().signatures - before.signatures};
}

void check_same(const trust::Verdict& one, const trust::Verdict& other) {
  REQUIRE(one.accepted() == other.accepted());
  CHECK(one.from == other.from);
  CHECK(one.until == other.until);
  if (one.accepted()) return;
  CHECK(one.refusal->text() == other.refusal->text());
  CHECK(one.refusal->advice == other.refusal->advice);
  CHECK(one.refusal->code == other.refusal->code);
  CHECK(one.refusal->position == other.refusal->position);
  CHECK(one.refusal->alert == other.refusal->alert);
}

}  // namespace

TEST_CASE(
    "trust known CAs: a new device costs one parsed certificate and one signature, both its own, and a known one "
    "none") {
  const Identity root = pki::root("Root", 1), middle = sub(root, "Int", 2), low = sub(middle, "Low", 3);
  Validator devices = validator({root});
  CHECK(cost(devices, {device(low), low, middle, root}) == Cost{4, 3});
  const Identity second = device(low);
  CHECK(cost(devices, {second, low, middle, root}) == Cost{1, 1});
  CHECK(cost(devices, {second, low, middle, root}) == Cost{0, 0});
  CHECK(cost(devices, {device(low), middle, low}) == Cost{1, 1});
  CHECK(cost(devices, {device(middle), middle}) == Cost{1, 1});
  CHECK(cost(devices, {device(root)}) == Cost{1, 1});

  // The same with the intermediate in the trust file.
  Validator both = validator({root, middle}), partial = validator({middle}, {}, {.partial_chain = true});
  CHECK(cost(both, {device(middle)}) == Cost{1, 2});
  CHECK(cost(both, {device(middle)}) == Cost{1, 1});
  CHECK(cost(partial, {device(low), low}) == Cost{2, 2});
  CHECK(cost(partial, {device(low), low}) == Cost{1, 1});
}

TEST_CASE("trust known CAs: a forged certificate gains nothing from the genuine one with its name and key") {
  const Identity root = pki::root("Root", 1), middle = sub(root, "Int", 2);
  const Identity forged = sub(root, "Int", 2, {.signing = {.broken = true}});
  const Identity foreign = sub(pki::root("Root", 7), "Int", 2, {.key_id = false});
  Validator devices = validator({root});
  for (int round = 0; round < 2; round++) {
    for (const Identity& wrong : {forged, foreign}) {
      const auto verdict = judge(devices, {device(middle), wrong});
      REQUIRE(verdict.refusal);
      CHECK(verdict.refusal->code == X509_V_ERR_CERT_SIGNATURE_FAILURE);
      CHECK(verdict.refusal->position == 1);
    }
    CHECK(accepts(devices, {device(middle), middle}));
  }
}

TEST_CASE("trust known CAs: a leaf that a known CA did not sign is refused") {
  const Identity root = pki::root("Root", 1), middle = sub(root, "Int", 2), low = sub(middle, "Low", 3);
  Validator devices = validator({root});
  REQUIRE(accepts(devices, {device(low), low, middle}));
  const auto verdict = judge(devices, {device(low, {.signing = {.broken = true}}), low, middle});
  REQUIRE(verdict.refusal);
  CHECK(verdict.refusal->code == X509_V_ERR_CERT_SIGNATURE_FAILURE);
  CHECK(verdict.refusal->position == 0);
  CHECK(cost(devices, {device(low), low, middle}) == Cost{1, 1});
}

TEST_CASE("trust known CAs: a refused chain is not remembered, whatever it holds") {
  const Identity root = pki::root("Root", 1), middle = sub(root, "Int", 2);
  Validator devices = validator({root});
  CHECK(!accepts(devices, {device(middle, {.signing = {.broken = true}}), middle}));
  CHECK(!accepts(devices, {device(middle, {.until = kNow - 1}), middle}));
  CHECK(!accepts(devices, {device(middle, {.extensions = kServer}), middle}));
  CHECK(cost(devices, {device(middle), middle}) == Cost{2, 2});
}

TEST_CASE("trust known CAs: a certificate beside an accepted chain, and a leaf, are not kept") {
  const Identity root = pki::root("Root", 1), middle = sub(root, "Int", 2), other = sub(root, "Other", 3);
  const Identity ca_as_leaf =
      sub(middle, "Gateway", 4, {.extensions = "basicConstraints=CA:TRUE\nkeyUsage=digitalSignature,keyCertSign\n"});
  Validator devices = validator({root});
  CHECK(cost(devices, {device(middle), middle, other}) == Cost{3, 2});
  CHECK(cost(devices, {device(middle), middle, other}) == Cost{2, 1});
  CHECK(cost(devices, {ca_as_leaf, middle}) == Cost{1, 1});
  CHECK(cost(devices, {ca_as_leaf, middle, root}) == Cost{2, 1});
  CHECK(cost(devices, {device(ca_as_leaf), ca_as_leaf, middle}) == Cost{2, 3});
}

TEST_CASE("trust known CAs: a CA that expires, and one that is not valid yet, is refused to the second") {
  const Identity root =
      self_signed({.subject = cn("Root"), .extensions = kCa, .from = kNow - 30, .until = kNow + 30}, key("P-256", 1));
  const Identity middle = sub(root, "Int", 2, {.from = kNow - 20, .until = kNow + 20}), low = sub(middle, "Low", 3);
  const auto new_device = [&] { return device(low, {.from = kNow - kDay}); };
  Validator devices = validator({root});
  for (int round = 0; round < 2; round++) {
    CHECK(accepts(devices, {new_device(), low, middle}));
    CHECK(accepts(devices, {new_device(), low, middle}, kNow + 19));
    const auto late = judge(devices, {new_device(), low, middle}, kNow + 20);
    REQUIRE(late.refusal);
    CHECK(late.refusal->code == X509_V_ERR_CERT_HAS_EXPIRED);
    CHECK(late.refusal->position == 2);
    CHECK(accepts(devices, {new_device(), low, middle}, kNow - 20));
    const auto early = judge(devices, {new_device(), low, middle}, kNow - 21);
    REQUIRE(early.refusal);
    CHECK(early.refusal->code == X509_V_ERR_CERT_NOT_YET_VALID);
    CHECK(early.refusal->position == 2);
    CHECK(judge(devices, {new_device(), low, middle}, kNow - 31).refusal->position == 3);
  }
}

TEST_CASE("trust known CAs: a CRL that becomes valid revokes a known CA") {
  const Identity root = pki::root("Root", 1), middle = sub(root, "Int", 2);
  const Crl now = crl(root), later = crl(root, {.revoked = {middle}, .from = kNow + 10, .number = 2});
  Validator devices = validator({root}, {now, later, crl(middle)}, {.revocation = trust::Revocation::chain});
  CHECK(cost(devices, {device(middle), middle}) == Cost{2, 2});
  CHECK(cost(devices, {device(middle), middle}, kNow + 9) == Cost{1, 1});
  for (int round = 0; round < 2; round++) {
    const auto revoked = judge(devices, {device(middle), middle}, kNow + 10);
    REQUIRE(revoked.refusal);
    CHECK(revoked.refusal->code == X509_V_ERR_CERT_REVOKED);
    CHECK(revoked.refusal->position == 1);
  }
  CHECK(accepts(devices, {device(middle), middle}));
}

TEST_CASE("trust known CAs: name constraints, path lengths and purposes of known CAs hold for new leaves") {
  const Identity root = pki::root("Root", 1);
  const Identity limited =
      sub(root, "Limited", 2,
          {.extensions = std::string(kCa) + "nameConstraints=critical,permitted;dirName:acme\n[acme]\nO=Acme\n"});
  const Identity flat = sub(
      root, "Flat", 3, {.extensions = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"});
  const Identity servers = sub(root, "Servers", 4, {.extensions = std::string(kCa) + "extendedKeyUsage=serverAuth\n"});
  Validator devices = validator({root});
  const Identity inside = issue(limited, {.subject = {{"O", "Acme"}, {"CN", "in"}}}, key("P-256", 9));
  REQUIRE(accepts(devices, {inside, limited}));
  REQUIRE(accepts(devices, {device(flat), flat}));
  CHECK(judge(devices, {device(limited), limited}).refusal->code == X509_V_ERR_PERMITTED_VIOLATION);
  // A constraint two levels above the leaf, in a chain whose CAs' signatures are all known.
  const Identity inner =
      issue(limited, {.subject = {{"O", "Acme"}, {"CN", "Inner"}}, .extensions = kCa}, key("P-256", 6));
  const Identity deep = issue(inner, {.subject = {{"O", "Acme"}, {"CN", "deep"}}}, key("P-256", 9));
  REQUIRE(accepts(devices, {deep, inner, limited}));
  const auto outside = judge(devices, {device(inner), inner, limited});
  REQUIRE(outside.refusal);
  CHECK(outside.refusal->code == X509_V_ERR_PERMITTED_VIOLATION);
  CHECK(outside.refusal->position == 0);
  const Identity below = sub(flat, "Below", 5);
  CHECK(judge(devices, {device(below), below, flat}).refusal->code == X509_V_ERR_PATH_LENGTH_EXCEEDED);
  CHECK(judge(devices, {device(servers), servers}).refusal->code == X509_V_ERR_INVALID_PURPOSE);
}

TEST_CASE("trust known CAs: a self-issued CA below the root is verified each time") {
  const Identity root = pki::root("Root", 1);
  const Identity rolled = issue(root, {.subject = cn("Root"), .extensions = kCa}, key("P-256", 2));
  Validator devices = validator({root});
  CHECK(cost(devices, {device(rolled), rolled}) == Cost{2, 2});
  CHECK(cost(devices, {device(rolled), rolled}) == Cost{1, 2});
}

TEST_CASE("trust known CAs: the memory is bounded, and drops the CAs that were used least recently") {
  const Identity root = pki::root("Root", 1), usual = sub(root, "Usual", 2);
  Validator devices = validator({root});
  constexpr int kMost = static_cast<int>(trust::KnownCas::kMost);
  CHECK(cost(devices, {device(usual), usual}) == Cost{2, 2});
  std::vector<Identity> many;
  for (int i = 0; i < kMost + 1; i++) {
    many.push_back(sub(root, "Int " + std::to_string(i), 3));
    CHECK(cost(devices, {device(many.back()), many.back()}) == Cost{2, 2});
    if (i % 100 == 0) CHECK(cost(devices, {device(usual), usual}) == Cost{1, 1});
  }
  CHECK(cost(devices, {device(usual), usual}) == Cost{1, 1});
  CHECK(cost(devices, {device(many.back()), many.back()}) == Cost{1, 1});
  CHECK(cost(devices, {device(many.front()), many.front()}) == Cost{2, 2});

  std::string names = std::string(kCa) + "subjectAltName=@s\n[s]\n";
  for (int i = 0; i < 400; i++) names += "DNS." + std::to_string(i) + "=a" + std::to_string(i) + ".example\n";
  const Identity large = sub(root, "Large", 4, {.extensions = names});
  REQUIRE(large.der().size() > trust::KnownCas::kMostBytes);
  REQUIRE(cost(devices, {device(usual), usual}) == Cost{1, 1});
  for (int i = 0; i < kMost; i++) CHECK(cost(devices, {device(large), large}) == Cost{2, 2});
  CHECK(cost(devices, {device(usual), usual}) == Cost{1, 1});  // the large one took no place
}

// CAs of every kind that changes a verdict, chains that mix them, and times around their dates.
TEST_CASE("trust known CAs: 2,000 random chains are judged as by a validator that knows none") {
  std::mt19937 random(15);  // NOLINT(bugprone-random-generator-seed): the same chains each time
  const auto below = [&](size_t most) { return std::uniform_int_distribution<size_t>(0, most - 1)(random); };
  const Identity a = pki::root("A", 1), b = pki::root("B", 2);
  std::vector<Identity> cas{a, b};
  const auto more = [&](const Identity by) {  // a copy: the list grows
    for (const Template& shape :
         {Template{}, Template{}, Template{}, Template{.until = kNow + 10}, Template{.from = kNow - 5},
          Template{.signing = {.broken = true}}, Template{.key_id = false}, Template{.issuer = cn("B")},
          Template{.extensions = "basicConstraints=critical,CA:TRUE,pathlen:0\n"},
          Template{.extensions = std::string(kCa) + "extendedKeyUsage=serverAuth\n"},
          Template{.extensions = std::string(kCa) + "nameConstraints=excluded;dirName:n\n[n]\nCN=dev1\n"},
          Template{.extensions = "keyUsage=digitalSignature\n"}})
      cas.push_back(sub(by, "CA " + std::to_string(below(6)), 3 + static_cast<int>(below(4)), shape));
  };
  more(a);
  more(b);
  for (int i = 0; i < 6; i++) more(cas[below(cas.size())]);
  cas.push_back(issue(b, {.subject = cn("A"), .extensions = kCa}, a.key));            // cross-signed
  cas.push_back(issue(a, {.subject = cn("A"), .extensions = kCa}, key("P-256", 8)));  // self-issued
  std::vector<Identity> leaves;
  for (int i = 0; i < 150; i++) {
    const Template shape{.subject = cn("dev" + std::to_string(below(3))),
                         .until = kNow + static_cast<int64_t>(below(4)) * kDay,
                         .signing = {.broken = below(8) == 0}};
    leaves.push_back(issue(cas[below(i % 3 == 0 ? cas.size() : 28)], shape, key("P-256", 9)));
  }
  // The chain that the names allow, or any certificates.
  const auto chain_of = [&](const Identity& leaf) {
    std::vector<Identity> chain{leaf};
    while (chain.size() < 5) {
      std::vector<Identity> issuers;
      for (const Identity& ca : cas)
        if (X509_check_issued(ca.certificate.get(), chain.back().certificate.get()) == X509_V_OK) issuers.push_back(ca);
      chain.push_back(issuers.empty() || below(12) == 0 ? cas[below(cas.size())] : issuers[below(issuers.size())]);
      if (issuers.empty() || below(10) == 0) break;
    }
    if (below(3) == 0) std::shuffle(chain.begin() + 1, chain.end(), random);
    return chain;
  };

  struct Kind {
    std::vector<Identity> anchors;
    std::vector<Crl> crls;
    trust::Policy policy;
  };
  const std::vector<Kind> kinds = {
      {{a}, {}, {}},
      {{a, b, cas[2]}, {}, {}},
      {{cas[2], cas[4]}, {}, {.partial_chain = true}},
      {{a, b}, {crl(a, {.revoked = {cas[3]}}), crl(b), crl(cas[2])}, {.revocation = trust::Revocation::chain}}};
  size_t accepted = 0, refused = 0;
  uint64_t computed = 0, signatures = 0, signatures_of_new = 0;
  for (const Kind& kind : kinds) {
    Validator warm = validator(kind.anchors, kind.crls, kind.policy);
    for (int i = 0; i < 500; i++) {
      const auto chain = chain_of(leaves[below(leaves.size())]);
      const int64_t now = kNow + std::array<int64_t, 5>{0, 0, 9, 10, -6}[below(5)];
      Validator fresh = validator(kind.anchors, kind.crls, kind.policy);
      const auto wanted = judge(fresh, chain, now);
      check_same(judge(warm, chain, now), wanted);
      (wanted.accepted() ? accepted : refused)++;
      signatures_of_new += fresh.counts().signatures;
    }
    computed += warm.counts().computed;
    signatures += warm.counts().signatures;
  }
  INFO(accepted << " accepted, " << refused << " refused, " << computed << " computed, " << signatures << " of "
                << signatures_of_new << " signatures verified");
  CHECK(accepted > 200);
  CHECK(refused > 500);
  CHECK(computed > accepted / 2 + refused);
  CHECK(signatures < signatures_of_new);
}
