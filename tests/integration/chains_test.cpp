// Chains as devices really send them. What OpenSSL accepts is accepted and passed upstream unchanged. A refused peer
// gets the alert that fits the cause; the operator gets certificate, cause and remedy.

#include <poll.h>
#include <sys/socket.h>

#include <optional>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// Reads the rest up to the peer's close, bypassing TLS.
std::string rest_of(int fd, Deadline deadline = patience()) {
  std::string rest;
  for (pollfd ready{fd, POLLIN, 0}; poll(&ready, 1, deadline.poll_timeout()) == 1;) {
    char bytes[256];
    const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) return rest;
    rest.append(bytes, static_cast<size_t>(got));
  }
  throw Failure("the connection does not end");
}

// relayd with only a local broker; it admits devices of `authorities`.
struct Door {
  explicit Door(const std::vector<pki::Identity>& authorities, const Json& listener = Json::object()) {
    Json more = {{"cacertfile", field::save_certificates(directory / "devices.pem", authorities)}};
    more.merge_patch(listener);
    world = std::make_unique<World>(
        WorldOptions{.relayd = {{"listener", more}}, .remote = RemoteKind::none, .local = false});
  }
  Identity save(const std::vector<pki::Identity>& chain) {
    return field::save(directory.path(), "device-" + std::to_string(++saved), chain);
  }
  void lets_in(const std::vector<pki::Identity>& chain, TlsVersion version) {
    Device device(TlsStream::connect(world->relay().endpoint(), field::client(save(chain), version)));
    device.join("somebody");
  }
  // Returns the alert, which must be the last thing received; one line of the log must contain `words`.
  int refuses(const std::vector<pki::Identity>& chain, TlsVersion version, const std::string& words) {
    const auto mark = world->relay().log().mark();
    auto stream = TlsStream::open(world->relay().endpoint(), field::client(save(chain), version));
    const Ending ending = stream.refused_handshake();
    CHECK(ending.how == Ending::alert);
    CHECK(rest_of(stream.fd()).empty());
    world->relay().log().wait_text(words, mark);
    return ending.alert_code;
  }

  TempDir directory;
  std::unique_ptr<World> world;
  int saved = 0;
};

constexpr TlsVersion kVersions[] = {TlsVersion::v1_2, TlsVersion::v1_3};

}  // namespace

TEST_CASE("chains: the chains that real devices send are accepted in TLS 1.2 and 1.3") {
  const auto root = field::root("Root"), other = field::root("Other");
  const auto one = field::below(root, "One"), two = field::below(one, "Two");
  const auto old_root =
      pki::self_signed(field::current({.subject = pki::cn("Old"), .extensions = pki::kCa, .signing = {.hash = "SHA1"}}),
                       pki::key("P-256", 50));
  const auto cross = pki::issue(other, field::current({.subject = pki::cn("Root"), .extensions = pki::kCa}), root.key);
  const auto expired = pki::issue(other, {.subject = pki::cn("Expired"), .from = 0, .until = 86'400}, two.key);
  const auto below_two = [&](pki::Template shape, const std::string& key = "P-256") {
    return std::vector<pki::Identity>{field::device(two, std::move(shape), key), two, one};
  };
  const std::pair<const char*, std::vector<pki::Identity>> shapes[] = {
      {"plain", below_two({})},
      {"intermediates swapped", {field::device(two), one, two}},
      {"an expired certificate besides", {field::device(two), two, expired, one}},
      {"the root, cross-signed by another", {field::device(two), two, one, cross}},
      {"the root sent along, signed with SHA-1", {field::device(old_root), old_root}},
      {"version 1", {field::device(root, {.extensions = "", .version = 1})}},
      {"serial number 0", below_two({.serial = "0"})},
      {"a negative serial number", below_two({.serial = "-5"})},
      {"keyCertSign in a leaf", below_two({.extensions = "basicConstraints=CA:FALSE\n"
                                                         "keyUsage=digitalSignature,keyCertSign\n"})},
      {"a compressed point", below_two({}, "P-256:compressed")},
      {"critical certificatePolicies",
       below_two({.extensions = std::string(pki::kDevice) + "certificatePolicies=critical,1.2.3.4\n"})},
      {"names of other string types",
       {field::device(root, {.key_id = false, .issuer = pki::cn("ROOT", V_ASN1_PRINTABLESTRING)})}},
      {"P-521", below_two({}, "P-521")},
      {"RSA-4096", below_two({}, "RSA:4096")},
      {"an RSASSA-PSS key", below_two({}, "RSA-PSS:2048")},
      {"Ed25519", below_two({}, "ED25519")},
  };
  Door door({root, old_root});
  for (const auto& [shape, chain] : shapes)
    for (const TlsVersion version : kVersions) {
      INFO(shape);
      door.lets_in(chain, version);
    }
}

TEST_CASE("chains: a chain may have as many intermediates as depth allows, and no more") {
  const auto root = field::root("Root");
  std::vector<pki::Identity> chain{field::below(root, "1")};
  while (chain.size() < 11) chain.insert(chain.begin(), field::below(chain.front(), std::to_string(chain.size() + 1)));
  auto longest = chain, allowed = std::vector(chain.begin() + 1, chain.end());
  longest.insert(longest.begin(), field::device(longest.front()));
  allowed.insert(allowed.begin(), field::device(allowed.front()));
  Door door({root}, {{"depth", 10}});
  for (const TlsVersion version : kVersions) {
    door.lets_in(allowed, version);
    CHECK(door.refuses(longest, version, "raise depth") == 48);  // unknown_ca, as in OpenSSL
  }
}

TEST_CASE("chains: only with partial_chain may a chain end at an intermediate in cacertfile, the log says so") {
  const auto root = field::root("Root"), one = field::below(root, "One");
  const std::vector<pki::Identity> chain{field::device(one)};
  SECTION("it is off by default") {
    Door door({one});
    for (const TlsVersion version : kVersions) CHECK(door.refuses(chain, version, "set partial_chain") == 48);
  }
  SECTION("it is set") {
    Door door({one}, {{"partial_chain", true}});
    for (const TlsVersion version : kVersions) door.lets_in(chain, version);
  }
}

TEST_CASE("chains: a certificate that one device sent never helps another device") {
  const auto root = field::root("Root"), one = field::below(root, "One");
  Door door({root});
  for (const TlsVersion version : kVersions) {
    door.lets_in({field::device(one), one}, version);
    CHECK(door.refuses({field::device(one)}, version, "was issued by 'CN=One', which is not in") == 48);
  }
}

TEST_CASE("chains: a refused device gets one alert that fits the cause, the log names certificate, cause and remedy") {
  const auto root = field::root("Root"), stranger = field::root("Stranger");
  const auto limited = field::below(root, "Limited", "nameConstraints=critical,permitted;DNS:a.example\n");
  const auto sub = field::below(limited, "Sub");
  const auto servers = field::below(root, "Servers", "extendedKeyUsage=serverAuth\n");
  const auto named = [](const char* name, std::string extensions = "") {
    return pki::Template{.subject = pki::cn(name), .extensions = pki::kDevice + std::move(extensions)};
  };
  auto expired = named("over");
  expired.until = pki::kNow - 60;
  auto early = named("early");
  early.from = pki::kNow + 86'400;
  auto sha1 = named("sha1");
  sha1.signing.hash = "SHA1";
  const auto revoked = field::device(root, named("revoked"));
  auto forged = named("forged");
  forged.signing.broken = true;
  auto server = named("server");
  server.extensions = "extendedKeyUsage=serverAuth\n";
  const struct {
    std::vector<pki::Identity> chain;
    int alert;
    const char* words;
  } cases[] = {
      {{field::device(root, expired)}, 45, "certificate 0 ('CN=over') expired on "},
      {{field::device(root, early)}, 42, "certificate 0 ('CN=early') is not valid before "},
      {{field::device(stranger, named("strange"))}, 48, "certificate 0 ('CN=strange') was issued by 'CN=Stranger'"},
      {{field::device(root, forged)}, 51, "certificate 0 ('CN=forged') has a signature that is not from"},
      {{revoked}, 44, "certificate 0 ('CN=revoked') was revoked on "},
      {{field::device(root, server)}, 43, "certificate 0 ('CN=server') "},
      {{field::device(servers, named("wrong")), servers}, 43, "certificate 1 ('CN=Servers') "},
      {{field::device(root, sha1)}, 42, "certificate 0 ('CN=sha1') is signed with SHA-1"},
      {{field::device(root, named("small"), "RSA:1024")}, 42, "certificate 0 ('CN=small') has a key that is too small"},
      {{pki::issue(root, field::current(named("curve")), pki::key("secp256k1"))},
       43,
       "certificate 0 ('CN=curve') has a key on the curve secp256k1, which TLS can't use here"},
      {{field::device(root, named("large"), "RSA:8192")},
       43,
       "certificate 0 ('CN=large') has an RSA key of 8192 bits, which TLS can't use here"},
      {{field::device(sub, named("outside", "subjectAltName=DNS:b.example\n")), sub, limited},
       46,
       "certificate 0 ('CN=outside') has a name that a CA above it may not issue"},
  };
  TempDir directory;
  const auto crl = pki::crl(root, {.revoked = {revoked}, .from = field::now() - 60, .until = field::now() + 3600});
  const auto none = [](const pki::Identity& ca) {
    return pki::crl(ca, {.from = field::now() - 60, .until = field::now() + 3600});
  };
  const auto crls = field::save_crls(directory / "ca.crl", {crl, none(servers), none(sub)});
  std::optional<Door> door;
  int refused = 0;
  for (const auto& [chain, alert, words] : cases)
    for (const TlsVersion version : kVersions) {
      // For that curve OpenSSL has no scheme in TLS 1.3, so it sends no certificate.
      if (version == TlsVersion::v1_3 && chain.front().key == pki::key("secp256k1")) continue;
      INFO(words);
      if (refused++ % 8 == 0)
        door.reset(),
            door.emplace(std::vector{root}, Json{{"crlfile", crls}});  // the log is limited to ten lines a second
      CHECK(door->refuses(chain, version, words) == alert);
    }
  for (const TlsVersion version : kVersions) door->lets_in({field::device(root, named("good"))}, version);
}

TEST_CASE("chains: a device that sends no certificate for lack of a usable scheme is refused, and the log says why") {
  const auto root = field::root("Root");
  Door door({root});
  for (const TlsVersion version : kVersions) {
    const int required = version == TlsVersion::v1_3 ? 116 : 40;  // certificate_required; handshake_failure
    CHECK(door.refuses({pki::issue(root, field::current({.subject = pki::cn("odd")}), pki::key("ED448"))}, version,
                       "showed no certificate, and fail_if_no_peer_cert is true: install a certificate and key in it; "
                       "if it has both, relayd does not support the type of its key (Ed448, ") == required);
  }
}

TEST_CASE("chains: the remote receives the device's chain byte for byte, whatever its shape") {
  TempDir directory;
  const auto root = field::root("Root"), one = field::below(root, "One"), two = field::below(one, "Two");
  const auto other = field::root("Other");
  const auto trusted = field::save_certificates(directory / "devices.pem", {root});
  CapturingRemote remote({own_address(), 0}, server_identity("remote", "p256", directory.path()), trusted);
  World world({.relayd = {{"remote_host", own_address()},
                          {"remote_port", remote.endpoint().port},
                          {"listener", {{"cacertfile", trusted}}}},
               .remote = RemoteKind::none,
               .local = false});
  const std::vector<pki::Identity> chains[] = {
      {field::device(two), one, two, other},
      {field::device(root, {.extensions = "", .version = 1}), other, root},
      {field::device(two, {.extensions = std::string(pki::kDevice) + "certificatePolicies=critical,1.2.3\n"}), two,
       one},
  };
  for (const auto& chain : chains)
    for (const TlsVersion version : kVersions) {
      const auto identity = field::save(directory.path(), "device", chain);
      world.give_key("dev1", identity);
      Device device(TlsStream::connect(world.relay().endpoint(), field::client(identity, version)));
      device.tls().send(mqtt::connect({.client_id = "dev1"}));
      auto served = remote.accept();
      std::vector<std::string> shown;
      for (const auto& certificate : chain) {
        const auto der = certificate.der();
        shown.emplace_back(der.begin(), der.end());
      }
      CHECK(served.peer_chain() == shown);
      served.read_packet();
      served.send(connack_accepted);
      CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
    }
}

TEST_CASE("chains: a refused remote gets an alert that fits the cause, the log names certificate, cause and remedy") {
  TempDir directory;
  const auto root = field::root("Root"), stranger = field::root("Stranger"), one = field::below(root, "One");
  const std::string here = "IP:" + own_address();
  const auto revoked = field::server(root, here, {.subject = pki::cn("revoked")});
  const struct {
    std::vector<pki::Identity> chain;
    int alert;
    std::string words;
  } cases[] = {
      {{field::server(root, here, {.from = pki::kNow - pki::kDay, .until = pki::kNow - 60})},
       45,
       "certificate 0 ('CN=broker') expired on "},
      {{field::server(stranger, here)}, 48, "was issued by 'CN=Stranger', which is not in "},
      {{field::server(one, here)}, 48, "was issued by 'CN=One', which is not in "},
      {{field::server(root, "DNS:other.example")}, 42, "is for DNS:other.example, not for '" + own_address() + "'"},
      {{revoked}, 44, "certificate 0 ('CN=revoked') was revoked on "},
      {{field::server(root, here, {.subject = pki::cn("large")}, "RSA:8192")},
       43,
       "certificate 0 ('CN=large') has an RSA key of 8192 bits, which TLS can't use here; have it issued for a P-256"},
  };
  const auto crl = pki::crl(root, {.revoked = {revoked}, .from = field::now() - 60, .until = field::now() + 3600});
  for (const auto& [chain, alert, words] : cases)
    for (const TlsVersion version : kVersions) {
      INFO(words);
      CapturingRemote remote({own_address(), 0}, field::save(directory.path(), "server", chain), authorities().root,
                             version);
      World world({.relayd = {{"remote_port", remote.endpoint().port},
                              {"remote",
                               {{"cacertfile", field::save_certificates(directory / "remote.pem", {root})},
                                {"crlfile", field::save_crls(directory / "remote.crl", {crl})}}}},
                   .remote = RemoteKind::none,
                   .local = false});
      const auto identity = device_identity("p256", 1);
      world.give_key("thermo", identity);
      auto device = world.device(identity);
      device.tls().send(mqtt::connect({.client_id = "thermo"}));
      auto served = remote.accept_silently();
      const auto ending = served.refused_handshake();
      CHECK(ending.how == Ending::alert);
      CHECK(ending.alert_code == alert);
      CHECK(mqtt::connack_code(device.tls().read_packet()) == 3);
      world.relay().log().wait_text(words);
    }
}
