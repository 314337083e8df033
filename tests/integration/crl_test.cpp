// CRLs and clocks never stop the service. relayd starts and reloads, refuses exactly the devices that it must, names
// the file, the issuer and the remedy, and recovers once the time or the file is right.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

struct Gateway {
  // `crls`: the contents of the CRL file; empty: no file.
  void start(const std::vector<pki::Identity>& authorities, const std::vector<pki::Crl>& crls, Json more = {}) {
    fs::permissions(directory.path(), fs::perms::all);  // relayd creates its control socket there
    Json listener = {{"cacertfile", field::save_certificates(directory / "devices.pem", authorities)}};
    if (!crls.empty()) listener["crlfile"] = field::save_crls(file(), crls);
    listener.merge_patch(more.is_null() ? Json::object() : more);
    world = std::make_unique<World>(
        WorldOptions{.relayd = {{"listener", listener}, {"control_socket", directory / "control.sock"}, {"workers", 1}},
                     .remote = RemoteKind::none,
                     .local = false});
  }
  fs::path file() const { return directory / "devices.crl"; }
  bool lets_in(const std::vector<pki::Identity>& chain) {
    const auto identity = field::save(directory.path(), "device-" + std::to_string(++saved), chain);
    auto stream = TlsStream::open(world->relay().endpoint(), field::client(identity, TlsVersion::v1_2));
    try {
      stream.handshake();
    } catch (const Failure&) {
      return false;
    }
    Device(std::move(stream)).join("dev1");
    return true;
  }
  // Waits for the log line that contains all of `parts`, of which the first is the file's name.
  Json logged(const std::vector<std::string>& parts, size_t mark = 0) {
    return world->relay().log().wait_json(
        [&](const Json& line) {
          const std::string text = line.value("msg", "");
          return std::all_of(parts.begin(), parts.end(),
                             [&](const auto& part) { return text.find(part) != std::string::npos; });
        },
        "a line with " + parts.front(), mark);
  }

  TempDir directory;
  std::unique_ptr<World> world;
  int saved = 0;
};

pki::Crl list(const pki::Identity& ca, const std::vector<pki::Identity>& revoked, int64_t from = -3600,
              int64_t until = 86'400, int number = 1, const std::string& extensions = "") {
  return pki::crl(ca, {.revoked = revoked,
                       .from = field::now() + from,
                       .until = until == 0 ? 0 : field::now() + until,
                       .number = number,
                       .extensions = extensions});
}

}  // namespace

TEST_CASE("CRLs: real-world lists refuse the devices that they revoke, and no others") {
  const auto root = field::root("Root"), sub = field::below(root, "Sub"), retired = field::root("Retired");
  const auto good = field::device(root), bad = field::device(root);
  const auto sub_good = field::device(sub), sub_bad = field::device(sub);
  const auto subs = list(sub, {sub_bad});
  const std::pair<const char*, std::vector<pki::Crl>> cases[] = {
      {"no nextUpdate", {list(root, {bad}, -3600, 0), list(sub, {sub_bad}, -3600, 0)}},
      {"a sub-CA that only devices show", {list(root, {bad}), subs}},
      {"a retired CA's besides", {list(retired, {}), list(root, {bad}), subs}},
      {"old, then new", {list(root, {}, -7200, 86'400, 1), list(root, {bad}, -60, 86'400, 2), subs}},
      {"new, then old", {list(root, {bad}, -60, 86'400, 2), list(root, {}, -7200, 86'400, 1), subs}},
      {"an expired one besides", {list(root, {}, -7200, -3600, 1), list(root, {bad}, -60, 86'400, 2), subs}},
      {"the same one twice", {list(root, {bad}), list(root, {bad}), subs}},
  };
  const auto& [what, crls] = cases[GENERATE(range(0, 7))];
  INFO(what);
  Gateway gateway;
  gateway.start({root}, crls);
  CHECK(gateway.lets_in({good}));
  CHECK_FALSE(gateway.lets_in({bad}));
  CHECK(gateway.lets_in({sub_good, sub}));
  CHECK_FALSE(gateway.lets_in({sub_bad, sub}));
}

TEST_CASE("CRLs: crl_check chain refuses the devices of a revoked sub-CA, leaf does not") {
  const auto root = field::root("Root"), sub = field::below(root, "Sub");
  const auto device = field::device(sub);
  const bool chain = GENERATE(false, true);
  Gateway gateway;
  gateway.start({root}, {list(root, {sub}), list(sub, {})}, {{"crl_check", chain ? "chain" : "leaf"}});
  CHECK(gateway.lets_in({device, sub}) == !chain);
}

TEST_CASE("CRLs: an expired CRL refuses only its issuer's devices, and log, status and check name it until replaced") {
  const auto root = field::root("Root"), other = field::root("Other");
  const auto device = field::device(root), others = field::device(other);
  Gateway gateway;
  gateway.start({root, other}, {list(root, {}, -7200, -3600), list(other, {})});
  auto& relay = gateway.world->relay();
  const auto line = gateway.logged({gateway.file(), "CRL of \"CN=Root\"", "expired on ", "get that CA's current CRL"});
  CHECK(line["level"] == "warning");
  CHECK_FALSE(gateway.lets_in({device}));
  relay.log().wait_text("can't be checked for revocation: the CRL of its issuer 'CN=Root' expired on ");
  CHECK(gateway.lets_in({others}));
  const auto trust = [&] { return Json::parse(relay.ask_relayd({"status"}).out).at("trust"); };
  REQUIRE(trust().size() == 1);
  CHECK(trust()[0].get<std::string>().find("the CRL of \"CN=Root\" expired on ") != std::string::npos);
  CHECK(relay.ask_relayd({"check", "relayd"}).out.find("the CRL of \"CN=Root\" expired on ") != std::string::npos);
  const auto mark = relay.log().mark();
  field::save_crls(gateway.file(), {list(root, {}), list(other, {})});
  CHECK(relay.reload()["msg"] == "relayd reloaded");
  gateway.logged({"CRL of \"CN=Root\": the problem is over"}, mark);
  CHECK(gateway.lets_in({device}));
  CHECK(trust().empty());
}

TEST_CASE("CRLs: a CRL that expires and a CA that becomes valid at run time take effect within that second") {
  const auto root = field::root("Root");
  const auto device = field::device(root);
  Gateway gateway;
  const int64_t over = field::now() + 6;
  gateway.start({root}, {list(root, {}, -3600, 6)});
  CHECK(gateway.lets_in({device}));
  while (field::now() <= over)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the passing of time is what is tested
  CHECK_FALSE(gateway.lets_in({device}));
}

TEST_CASE("CRLs: an unknown critical extension refuses that issuer's devices, and relayd serves all others") {
  const auto root = field::root("Root"), other = field::root("Other");
  Gateway gateway;
  gateway.start({root, other}, {list(root, {}, -3600, 86'400, 1, "1.2.3.4.5=critical,ASN1:NULL\n"), list(other, {})});
  gateway.logged({gateway.file(), "CRL of \"CN=Root\"", "critical extension", "1.2.3.4.5"});
  CHECK_FALSE(gateway.lets_in({field::device(root)}));
  CHECK(gateway.lets_in({field::device(other)}));
}

TEST_CASE("CRLs: relayd starts with a CA that is not yet valid, suspects the clock, and accepts the CA in time") {
  const int64_t begins = field::now() + 6;
  auto shape = field::current({.subject = pki::cn("Young"), .extensions = pki::kCa});
  shape.from = begins;
  const auto young = pki::self_signed(shape, pki::key("P-256", 60));
  const auto device = field::device(young);
  Gateway gateway;
  gateway.start({young}, {});
  gateway.logged({"devices.pem", "the CA \"CN=Young\" is not valid before ", "set the clock"});
  CHECK_FALSE(gateway.lets_in({device}));
  gateway.world->relay().log().wait_text("('CN=Young') is not valid before ");
  while (field::now() < begins)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the passing of time is what is tested
  CHECK(gateway.lets_in({device}));
}

TEST_CASE("CRLs: a reload with a file that is not a CRL changes nothing and names the file") {
  const auto root = field::root("Root");
  const auto device = field::device(root);
  Gateway gateway;
  gateway.start({root}, {list(root, {})});
  write_file(gateway.file(), root.pem());
  const auto line = gateway.world->relay().reload();
  CHECK(line["msg"] == "reload failed; nothing has changed");
  CHECK(line.value("cause", "").find(gateway.file()) != std::string::npos);
  CHECK(gateway.lets_in({device}));
}
