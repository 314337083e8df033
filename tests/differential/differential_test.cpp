// For every shape `openssl verify`, `mqtt-relay verify` and real handshakes in TLS 1.2 and 1.3 agree, except for the
// differences listed in this file with their reasons.
#include <algorithm>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <optional>

#include "tests/differential/judges.h"
#include "tests/integration/harness/catch.h"
#include "tests/unit/trust_support.h"

namespace differential {
namespace {

// A shape that `openssl verify` accepts but with which a handshake fails.
struct Difference {
  const char* group;
  const char* name;
  std::optional<Role> role;
  std::optional<Tls> version;
  const char* reason;
  bool verify_accepts = true;  // `mqtt-relay verify` refuses, too, only if no handshake can succeed
};
constexpr char kNoScheme[] =
    "our TLS has no signature scheme for this key: P-256, P-384, P-521, Ed25519, RSA up to 4096 bits";
constexpr char kCompressed[] =
    "a server shows it only to clients that offer compressed points, which RFC 8422 5.1.2 deprecates";
constexpr char kCantSign[] =
    "OpenSSL as the server does not sign a key exchange without digitalSignature, for no client";
const Difference kDifferences[] = {
    {"keys", "P-224 of the leaf", {}, {}, kNoScheme, false},
    {"keys", "secp256k1 of the leaf", {}, {}, kNoScheme, false},
    {"keys", "brainpoolP256r1 of the leaf", {}, {}, kNoScheme, false},
    {"keys", "ED448 of the leaf", {}, {}, kNoScheme, false},
    {"keys", "RSA:8192 of the leaf", {}, {}, kNoScheme, false},
    {"keys", "P-256:compressed of the leaf", Role::remote, Tls::v1_2, kCompressed},
    {"keys", "P-384:compressed of the leaf", Role::remote, Tls::v1_2, kCompressed},
    {"keys", "P-521:compressed of the leaf", Role::remote, Tls::v1_2, kCompressed},
    {"keys", "P-256:compressed everywhere", Role::remote, Tls::v1_2, kCompressed},
    {"key usages", "keyUsage keyEncipherment of the leaf", Role::remote, Tls::v1_2, kCantSign},
    {"key usages", "keyUsage critical,keyEncipherment of the leaf", Role::remote, Tls::v1_2, kCantSign},
    {"key usages", "keyUsage keyAgreement of the leaf", Role::remote, Tls::v1_2, kCantSign},
    {"key usages", "keyUsage critical,keyAgreement of the leaf", Role::remote, Tls::v1_2, kCantSign},
};

const Difference* difference_of(const Shape& shape, Role role, Tls version) {
  const auto found = std::find_if(std::begin(kDifferences), std::end(kDifferences), [&](const Difference& listed) {
    return shape.group == listed.group && shape.name == listed.name && listed.role.value_or(role) == role &&
           listed.version.value_or(version) == version;
  });
  return found == std::end(kDifferences) ? nullptr : found;
}

struct Row {
  int opinions = 0, accepted = 0, refused = 0;
  std::vector<std::pair<std::string, std::string>> listed;
};

const char* name(Role role) { return role == Role::device ? "device" : "remote"; }
const char* name(Tls version) { return version == Tls::v1_2 ? "TLS 1.2" : "TLS 1.3"; }
std::string words(const Opinion& opinion) { return opinion.accepted ? "accepts" : "refuses: " + opinion.why; }

void compare(const Shape& shape, Role role, CommandLines& commands, Handshakes& handshakes, Row& row) {
  INFO(shape.group << ": " << shape.name << ", as " << name(role));
  const Opinion field = commands.openssl(shape, role), verify = commands.relayd(shape, role);
  (field.accepted ? row.accepted : row.refused)++;
  row.opinions++;
  const Difference* of_key = difference_of(shape, role, Tls::v1_2);
  if (verify.accepted != (field.accepted && (!of_key || of_key->verify_accepts)))
    FAIL_CHECK("openssl verify " << words(field) << "; mqtt-relay verify " << words(verify));
  for (const Tls version : {Tls::v1_2, Tls::v1_3}) {
    const Opinion handshake = handshakes.judge(shape, role, version);
    const Difference* listed = difference_of(shape, role, version);
    row.opinions++;
    if (listed) row.listed.emplace_back(shape.name + ", " + name(role) + ", " + name(version), listed->reason);
    // The list is exact: a shape on which all agree must not be in it.
    if (handshake.accepted != (field.accepted && !listed))
      FAIL_CHECK("openssl verify " << words(field) << (listed ? " (a listed difference)" : "") << "; a handshake in "
                                   << name(version) << " " << words(handshake));
  }
}

void compare_all(const std::vector<Shape>& shapes) {
  CommandLines commands;
  Handshakes handshakes;
  Row row;
  for (const Shape& shape : shapes) {
    commands.put(shape);
    for (const Role role : {Role::device, Role::remote})
      if (role == Role::remote || !shape.as_remote_only) compare(shape, role, commands, handshakes, row);
  }
  std::cout << std::left << std::setw(30) << shapes.front().group << std::right << std::setw(4) << shapes.size()
            << " shapes; openssl verify accepts " << std::setw(4) << row.accepted << " and refuses " << std::setw(4)
            << row.refused << "; of " << std::setw(4) << row.opinions << " verdicts of ours, " << row.listed.size()
            << " differ as listed\n";
  for (const auto& [what, reason] : row.listed) std::cout << "    " << what << ": " << reason << "\n";
}

constexpr std::vector<Shape> (*kGroups[])() = {orders_and_extras,
                                               cross_signatures,
                                               versions_and_serials,
                                               names,
                                               hosts,
                                               key_usages,
                                               extended_key_usages,
                                               basic_constraints_and_depth,
                                               name_constraints,
                                               dates,
                                               revocation_lists,
                                               keys,
                                               signatures,
                                               extensions};

// "": accepted.
std::string refusal_of(trust::Validator& by, const std::vector<pki::Identity>& chain) {
  const auto verdict = trust_support::judge(by, chain, pki::base_time);
  return verdict.accepted() ? "" : verdict.refusal->text() + "; " + verdict.refusal->advice;
}

// The peers are other programs and use the real time.
const bool set_time = [] { return (pki::base_time = time(nullptr)) != 0; }();

}  // namespace
}  // namespace differential

using namespace differential;

TEST_CASE("differential: chains in every order and with extras are judged as openssl verify does") {
  compare_all(orders_and_extras());
}
TEST_CASE("differential: cross-signatures are judged as openssl verify does") { compare_all(cross_signatures()); }
TEST_CASE("differential: versions and serials are judged as openssl verify does") {
  compare_all(versions_and_serials());
}
TEST_CASE("differential: names are judged as openssl verify does") { compare_all(names()); }
TEST_CASE("differential: hosts are judged as openssl verify does") { compare_all(hosts()); }
TEST_CASE("differential: key usages are judged as openssl verify does") { compare_all(key_usages()); }
TEST_CASE("differential: extended key usages are judged as openssl verify does") { compare_all(extended_key_usages()); }
TEST_CASE("differential: basic constraints and depth are judged as openssl verify does") {
  compare_all(basic_constraints_and_depth());
}
TEST_CASE("differential: name constraints are judged as openssl verify does") { compare_all(name_constraints()); }
TEST_CASE("differential: dates are judged as openssl verify does") { compare_all(dates()); }
TEST_CASE("differential: CRLs are judged as openssl verify does") { compare_all(revocation_lists()); }
TEST_CASE("differential: keys are judged as openssl verify does") { compare_all(keys()); }
TEST_CASE("differential: signatures are judged as openssl verify does") { compare_all(signatures()); }
TEST_CASE("differential: extensions are judged as openssl verify does") { compare_all(extensions()); }

TEST_CASE("differential: a validator that knows a shape's CAs judges it as a new one does") {
  const pki::Identity unrelated = pki::root("Unrelated", 99);
  uint64_t known = 0;
  for (const auto& make : kGroups)
    for (const Shape& shape : make())
      for (const trust::Purpose purpose : {trust::Purpose::device, trust::Purpose::remote}) {
        INFO(shape.group << ": " << shape.name);
        const trust::Policy policy{
            .purpose = purpose,
            .name = purpose == trust::Purpose::remote ? shape.host : "",
            .depth = static_cast<unsigned>(shape.depth),
            .partial_chain = shape.partial_chain,
            .revocation = shape.crl_check_chain ? trust::Revocation::chain : trust::Revocation::leaf};
        trust::Validator by = trust_support::validator(shape.anchors, shape.crls, policy);
        const std::string of_new = refusal_of(by, shape.chain);
        const uint64_t signatures = by.counts().signatures;
        auto longer = shape.chain;  // so that the answer is not the earlier verdict
        longer.push_back(unrelated);
        CHECK(refusal_of(by, longer) == of_new);
        CHECK(by.counts().computed == 2);
        if (by.counts().signatures < 2 * signatures) known++;
      }
  std::cout << known << " shapes have CAs that were known the second time\n";
  CHECK(known >= 100);
}

TEST_CASE("differential: at least 300 shapes are compared") {
  size_t shapes = 0;
  for (const auto& make : kGroups) shapes += make().size();
  std::cout << shapes << " shapes\n";
  CHECK(shapes >= 300);
}
