// `mqtt-relay verify`, run with the shipped program: the verdict as exit status, and one paragraph that says which
// certificate is wrong, why, and how to fix it.
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/operator.h"
#include "tests/integration/harness/temp_dir.h"
#include "tests/pki/certificates.h"

#include <nlohmann/json.hpp>

using namespace harness;

namespace {

using Json = nlohmann::json;
using namespace pki;

// Certificates in files, and a relayd configuration to judge them by.
struct Desk {
  Desk() {
    write_file(folder / "ca.pem", ca.pem());
    write_file(folder / "devices.crl", pem(crl(ca, {.revoked = {revoked}})));
    write_file(folder / "relayd.json", R"({ "remote_host": "broker.example", "remote_port": 8883,
      "remote": { "cacertfile": ")" + (folder / "ca.pem").string() +
                                           R"(" },
      "listener": { "certfile": "/none", "crlfile": ")" +
                                           (folder / "devices.crl").string() + R"(",
                    "cacertfile": ")" + (folder / "ca.pem").string() +
                                           R"(" }, "keyd_socket": "/none" })");
  }
  fs::path chain(const std::vector<Identity>& identities) {
    std::string text;
    for (const Identity& identity : identities) text += identity.pem();
    write_file(folder / "chain.pem", text);
    return folder / "chain.pem";
  }
  Finished verify(const fs::path& file, const std::vector<std::string>& flags, bool configured = false,
                  const std::string& at = std::to_string(kNow)) {
    ProcessOptions command = mqtt_relay({"verify", file});
    const std::vector<std::string> judge =
        configured ? std::vector<std::string>{"--config", folder / "relayd.json", "--at", at}
                   : std::vector<std::string>{"--cafile", folder / "ca.pem", "--at", at};
    command.argv.insert(command.argv.end(), judge.begin(), judge.end());
    command.argv.insert(command.argv.end(), flags.begin(), flags.end());
    return run(command);
  }

  TempDir folder;
  Identity ca = root("Root", 1);
  Identity leaf = issue(ca, {.subject = cn("dev1")}, key("P-256", 9));
  Identity revoked = issue(ca, {.subject = cn("dev2")}, key("P-256", 9));
  Identity server = issue(ca, {.subject = cn("x"), .extensions = kServer}, key("P-256", 8));
};

void expect(const Finished& done, int status, const std::string& words) {
  INFO(done.out << done.err);
  CHECK(done.status.code == status);
  CHECK((done.out + done.err).find(words) != std::string::npos);
}

}  // namespace

TEST_CASE("verify: it exits with 0 for an accepted chain, and with 1, the cause and the remedy for a refused one") {
  Desk desk;
  expect(desk.verify(desk.chain({desk.leaf}), {"--as", "device"}), 0, "accepted as a device: \"CN=dev1\"");
  expect(desk.verify(desk.chain({desk.leaf}), {"--as", "remote"}), 1,
         "refused as the remote broker: certificate 0 (\"CN=dev1\") is not for TLS servers: its extendedKeyUsage lacks "
         "serverAuth");
  expect(desk.verify(desk.chain({desk.leaf}), {"--as", "device"}, false, "2037-01-01"), 1,
         "expired on 2028-01-15 08:00:00 UTC. To fix it: renew it");
  expect(desk.verify(desk.chain({desk.server}), {"--as", "remote", "--name", "localhost"}), 0, "for \"localhost\"");
  expect(desk.verify(desk.chain({desk.server}), {"--as", "remote", "--name", "broker.example"}), 1,
         "is for DNS:localhost, not for \"broker.example\"");
  expect(desk.verify(desk.chain({issue(root("Other", 2), {.subject = cn("dev3")}, key("P-256"))}), {"--as", "device"}),
         1, "was issued by \"CN=Other\", which is not in");
  expect(desk.verify(desk.chain({desk.revoked}), {"--as", "device", "--crlfile", desk.folder / "devices.crl"}), 1,
         "was revoked on 2027-01-14");
  write_file(desk.folder / "junk.pem", "hello\n");
  expect(desk.verify(desk.folder / "junk.pem", {"--as", "device"}), 1, "it is not PEM");
}

TEST_CASE("verify: it takes CA certificates, CRLs and the expected name from the configuration") {
  Desk desk;
  expect(desk.verify(desk.chain({desk.leaf}), {"--as", "device"}, true), 0, "accepted");
  expect(desk.verify(desk.chain({desk.revoked}), {"--as", "device"}, true), 1, "was revoked");
  expect(desk.verify(desk.chain({desk.server}), {"--as", "remote"}, true), 1,
         "is for DNS:localhost, not for \"broker.example\"");
  expect(desk.verify(desk.chain({desk.server}), {"--as", "remote", "--name", "localhost"}, true), 0, "accepted");
}

TEST_CASE("verify: with flags alone it judges as a listener with those settings would") {
  Desk desk;
  const Identity sub = issue(desk.ca, {.subject = cn("Sub"), .extensions = kCa}, key("P-256", 3));
  const fs::path chain = desk.chain({issue(sub, {.subject = cn("dev4")}, key("P-256", 9)), sub});
  expect(desk.verify(chain, {"--as", "device", "--depth", "1"}), 0, "accepted");
  expect(desk.verify(chain, {"--as", "device", "--depth", "0"}), 1, "lies deeper than depth allows: 0 certificates");

  write_file(desk.folder / "sub.pem", sub.pem());
  const std::vector<std::string> by_sub = {"--as", "device", "--cafile", desk.folder / "sub.pem"};
  const auto with = [](std::vector<std::string> flags, const std::vector<std::string>& more) {
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  };
  expect(desk.verify(chain, by_sub, true), 1, "it is not a root");
  expect(desk.verify(chain, with(by_sub, {"--partial-chain"}), true), 0, "accepted");

  write_file(desk.folder / "all.crl", pem(crl(desk.ca, {.revoked = {sub}})) + pem(crl(sub)));
  const std::vector<std::string> with_crls = {"--as", "device", "--crlfile", desk.folder / "all.crl"};
  expect(desk.verify(chain, with_crls), 0, "accepted");
  expect(desk.verify(chain, with(with_crls, {"--crl-check", "leaf"})), 0, "accepted");
  expect(desk.verify(chain, with(with_crls, {"--crl-check", "chain"})), 1, "certificate 1 (\"CN=Sub\") was revoked");
}

TEST_CASE("verify: flags win over the configuration's settings for chains") {
  Desk desk;
  const Identity sub = issue(desk.ca, {.subject = cn("Sub"), .extensions = kCa}, key("P-256", 3));
  const fs::path chain = desk.chain({issue(sub, {.subject = cn("dev4")}, key("P-256", 9)), sub});
  write_file(desk.folder / "devices.crl", pem(crl(desk.ca)) + pem(crl(sub)));
  expect(desk.verify(chain, {"--as", "device"}, true), 0, "accepted");
  expect(desk.verify(chain, {"--as", "device", "--depth", "0"}, true), 1, "lies deeper than depth allows");
}

TEST_CASE("verify: with --at it does not blame the gateway's clock") {
  Desk desk;
  const fs::path chain = desk.chain({desk.leaf});
  const auto refused_at = [&](const std::string& at, const std::vector<std::string>& flags, const std::string& words) {
    const Finished done = desk.verify(chain, flags, false, at);
    expect(done, 1, words);
    CHECK(done.out.find("clock, which says") == std::string::npos);
    CHECK(done.out.find("this gateway's clock") == std::string::npos);
  };
  refused_at("2037-01-01", {"--as", "device"}, "renew it; the time asked about is 2037-01-01 00:00:00 UTC");
  refused_at("2020-01-01", {"--as", "device"}, "and the time asked about is 2020-01-01 00:00:00 UTC. To fix it: ask");
  write_file(desk.folder / "old.crl", pem(crl(desk.ca, {.until = kNow + 1})));
  refused_at("2027-02-01", {"--as", "device", "--crlfile", desk.folder / "old.crl"},
             "the time asked about is 2027-02-01");
  write_file(desk.folder / "new.crl", pem(crl(desk.ca, {.from = kNow + 60})));
  refused_at(std::to_string(kNow), {"--as", "device", "--crlfile", desk.folder / "new.crl"},
             "and the time asked about is 2027-01-15 08:00:00 UTC. To fix it: ask");
}

TEST_CASE("verify: --at refuses a day that does not exist, and one that no certificate can express") {
  Desk desk;
  const auto chain = desk.chain({desk.leaf});
  for (const char* at : {"2026-02-30", "2027-02-29T08:00:00Z", "2026-04-31", "-100000000000", "253402300800"})
    expect(desk.verify(chain, {"--as", "device"}, false, at), 64, "found \"" + std::string(at) + "\"; allowed: a time");
  for (const char* at : {"1979-12-31T23:59:59Z", "0", "9999-12-31T23:59:59Z", "2028-02-29"})
    expect(desk.verify(chain, {"--as", "device"}, false, at), 1, "refused as a device");
}

TEST_CASE("verify: its JSON says the same, field by field") {
  Desk desk;
  const Finished accepted = desk.verify(desk.chain({desk.leaf}), {"--as", "device", "--json"});
  CHECK(Json::parse(accepted.out).at("accepted") == true);
  CHECK(Json::parse(accepted.out).at("until") == "2028-01-15T08:00:00Z");
  const Finished refused = desk.verify(desk.chain({desk.leaf}), {"--as", "remote", "--json"});
  CHECK(refused.status.code == 1);
  const Json json = Json::parse(refused.out);
  CHECK(json.at("accepted") == false);
  CHECK(json.at("position") == 0);
  CHECK(json.at("subject") == "CN=dev1");
  CHECK(json.at("alert") == 43);  // unsupported_certificate
  CHECK(json.at("at") == "2027-01-15T08:00:00Z");
  CHECK(json.at("advice") == "have it issued with extendedKeyUsage = serverAuth");
}

TEST_CASE("verify: it exits with 64 for a wrong command line, and with 78 for an unusable file or configuration") {
  Desk desk;
  const fs::path chain = desk.chain({desk.leaf});
  expect(desk.verify(chain, {}), 64, "--as is required");
  expect(desk.verify(chain, {"--as", "broker"}), 64, "broker");
  expect(desk.verify(chain, {"--as", "device", "--depth", "31"}), 64, "31");
  expect(desk.verify(chain, {"--as", "device", "--crl-check", "all"}), 64, "all");
  expect(desk.verify(chain, {"--as", "device"}, false, "yesterday"), 64, "yesterday");
  expect(desk.verify(desk.folder / "none.pem", {"--as", "device"}), 78, "none.pem");
  expect(desk.verify(chain, {"--as", "device", "--crlfile", chain}), 78, "it holds only a certificate");
  expect(desk.verify(chain, {"--as", "device", "--cafile", desk.folder / "none.pem"}, true), 78, "none.pem");
  write_file(desk.folder / "relayd.json", "{}");
  expect(desk.verify(chain, {"--as", "device"}, true), 78, "relayd.json");
}
