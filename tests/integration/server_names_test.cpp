// Several certificates on one listener: each device is shown the one for the name that it asks for (SNI), signed with
// the key that belongs to it. HAProxy, with the same certificates, is the peer to compare with.

#include <set>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/haproxy.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr uint16_t kHaproxy = 9893;

// A relay whose listener has three certificates, of three kinds of keys.
struct ManyNames {
  World world;
  std::vector<Identity> shown;

  explicit ManyNames(const Json& listener = Json::object()) : world({.start = false}) {
    const std::string address = "IP:" + own_address() + ",";
    shown = {server_identity("first", "p256", address + "DNS:first.test", made()),
             server_identity("second", "rsa2048", address + "DNS:second.test,DNS:*.wild.test", made()),
             server_identity("third", "ed25519", address + "DNS:third.test", made())};
    Json certificates = Json::array(), keys = Json::array();
    for (const Identity& each : shown) {
      certificates.push_back(install(each.certificate));
      keys.push_back(world.relay().give_listener_key(each.name + ".key", each.key));
    }
    world.relay().patch_keyd({{"listener_keyfile", keys}});
    Json settings = {{"certfile", certificates}};
    settings.merge_patch(listener);
    world.relay().patch_relayd({{"listener", settings}});
    world.relay().start();
  }
  fs::path made() const {
    fs::create_directories(world.directory / "made");
    return world.directory / "made";
  }
  std::string install(const fs::path& file) const {
    const fs::path copy = world.directory / "relay/certificates" / file.filename();
    fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
    return copy.string();
  }
};

TlsStream ask(uint16_t port, const std::string& name, TlsVersion version = TlsVersion::any) {
  const auto identity = device_identity("p256", 1);
  auto stream = TlsStream::open({own_address(), port}, TlsContext::client(&identity, authorities().root, version));
  if (!name.empty()) stream.ask_for(name);
  stream.handshake();
  return stream;
}

std::string leaf(const TlsStream& stream) { return stream.peer_chain().front(); }

}  // namespace

TEST_CASE("server names: a device is shown the certificate that HAProxy would show it, in TLS 1.2 and 1.3") {
  ManyNames site;
  std::string bind = " bind " + own_address() + ":" + std::to_string(kHaproxy) + " ssl";
  for (const Identity& each : site.shown) {
    const fs::path pair = site.made() / (each.name + "-pair.pem");
    write_file(pair, read_file(each.certificate) + read_file(each.key));
    bind += " crt " + pair.string();
  }
  const Haproxy haproxy("frontend names\n" + bind + "\n default_backend none\nbackend none\n",
                        site.world.directory / "haproxy");
  std::set<std::string> seen;
  for (const TlsVersion version : {TlsVersion::v1_2, TlsVersion::v1_3})
    for (const std::string name : {"", "first.test", "second.test", "SECOND.test", "a.wild.test", "wild.test",
                                   "a.b.wild.test", "third.test", "unknown.test"}) {
      INFO("\"" << name << "\"");
      const std::string ours = leaf(ask(ports::relay, name, version));
      CHECK(ours == leaf(ask(kHaproxy, name, version)));
      seen.insert(ours);
    }
  CHECK(seen.size() == 3);
}

TEST_CASE("server names: a session with each certificate is relayed, also after a HelloRetryRequest") {
  const bool retry = GENERATE(false, true);
  const Json settings = retry ? Json{{"groups", {"P-384"}}} : Json::object();
  ManyNames site(settings);
  const auto identity = device_identity("p256", 1);
  site.world.give_key("dev1", identity);
  for (const std::string name : {"first.test", "second.test", "third.test"}) {
    INFO(name << (retry ? ", retried" : ""));
    const size_t mark = site.world.relay().log().mark();
    Device device(ask(ports::relay, name));
    device.join("dev1");
    CHECK(site.world.relay().session_up(mark).at("client_id") == "dev1");
    device.disconnect();
    device.tls().read_to_end();
  }
}

TEST_CASE("server names: a key that is replaced or removed concerns its own certificate only") {
  ManyNames site;
  auto& relay = site.world.relay();
  const Identity renewed = server_identity("second", "p384", "IP:" + own_address() + ",DNS:second.test", site.made());
  relay.give_listener_key("second.key", renewed.key);
  CHECK(leaf(ask(ports::relay, "second.test")) != leaf(ask(ports::relay, "first.test")));  // the previous key signs
  site.install(renewed.certificate);
  REQUIRE(relay.reload().at("msg") == "relayd reloaded");
  const std::string before = leaf(ask(ports::relay, "second.test"));
  CHECK(before != leaf(ask(ports::relay, "first.test")));

  fs::remove(site.world.directory / "relay/second.key");
  CHECK_THROWS_AS(ask(ports::relay, "second.test"), Failure);
  CHECK_NOTHROW(ask(ports::relay, "first.test"));
  CHECK_NOTHROW(ask(ports::relay, "third.test"));
  const Json failed = relay.reload();
  CHECK(failed.at("cause").get<std::string>().find("listener.certfile[1]") != std::string::npos);
}

TEST_CASE("server names: a certificate that no device would be shown is refused, and says so") {
  ManyNames site;
  auto& relay = site.world.relay();
  const Identity twin = server_identity("twin", "p256", "IP:" + own_address() + ",DNS:first.test", site.made());
  relay.patch_relayd(
      {{"listener", {{"certfile", {site.install(site.shown[0].certificate), site.install(twin.certificate)}}}}});
  const std::string cause = relay.reload().at("cause");
  CHECK(cause.find("no device would be shown this certificate") != std::string::npos);
  CHECK_NOTHROW(ask(ports::relay, "second.test"));  // the old configuration serves on
}
