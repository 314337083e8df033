// local.tls.certfile: the local broker wants a client certificate, and relayd shows one whose key is in keyd.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A relay before a mosquitto that wants a client certificate and takes its common name for the user.
struct LocalSite {
  World world{{.remote = RemoteKind::none, .local = false, .start = false}};
  Identity server = server_identity("local", "p256", world.directory.path());
  Mosquitto broker;
  fs::path certificates = world.directory / "relay/certificates";

  explicit LocalSite(TlsVersion version = TlsVersion::any)
      : broker({.listen = {own_address(), ports::local}, .server = server, .version = version},
               world.directory / "local") {
    patch_tls({{"cacertfile", certificates / "root.pem"}});
  }
  void patch_tls(const Json& tls) {
    world.relay().patch_relayd({{"local", {{"host", own_address()}, {"port", ports::local}, {"tls", tls}}}});
  }
  void give(const Identity& own) {
    fs::copy_file(own.certificate, certificates / "own.pem", fs::copy_options::overwrite_existing);
    patch_tls({{"certfile", certificates / "own.pem"}});
    world.relay().patch_keyd({{"local_keyfile", world.relay().give_listener_key("local.key", own.key)}});
  }
};

}  // namespace

TEST_CASE("local certificate: the local broker knows relayd by it, whatever its key and the TLS version") {
  const std::string type = GENERATE("p256", "rsa2048", "ed25519");
  const TlsVersion version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  LocalSite site(version);
  const Identity own = device_identity(type, 7);
  site.give(own);
  site.world.relay().start();
  auto device = site.world.device(device_identity("p256", 1));
  device.join("keyless");
  CHECK(site.broker.user_of("keyless") == own.name);
  const auto up = site.world.relay().session_up();
  CHECK(up.at("to") == "local");
  const Json line = site.world.relay().audit().wait_json(
      [](const Json& j) { return j.value("event", "") == "sign" && j.value("role", "") == "local"; }, "the signature");
  CHECK(line.at("session") == up.at("session"));
  CHECK(line.at("kind") == (version == TlsVersion::v1_2 ? "tls12_client" : "tls13_client"));
}

TEST_CASE("local certificate: bind_remote does not concern it") {
  LocalSite site;
  site.give(device_identity("p256", 7));
  site.world.relay().patch_keyd(
      {{"bind_remote", {{"remote_host", "broker.test"}, {"cacertfile", site.certificates / "root.pem"}}}});
  site.world.relay().start();
  site.world.device(device_identity("p256", 1)).join("keyless");
}

TEST_CASE("local certificate: without one, or with one that the broker does not take, the log says what to set") {
  LocalSite site;
  const bool strange = GENERATE(false, true);
  if (strange) site.give(strange_device("p256"));
  site.world.relay().start();
  const size_t mark = site.world.relay().log().mark();
  CHECK(site.world.refusal(device_identity("p256", 1), "keyless", mqtt::v5) == 0x88);
  const auto why = site.world.relay().session_closed(mark).at("why").get<std::string>();
  INFO(why);
  CHECK(why.find("set local.tls.certfile, and local_keyfile of keyd, or renew them") != std::string::npos);
}

TEST_CASE("local certificate: a key that does not match it is named at the reload, which changes nothing") {
  LocalSite site;
  site.give(device_identity("p256", 7));
  auto& relay = site.world.relay();
  relay.start();
  relay.give_listener_key("local.key", device_identity("p256", 8).key);
  const Json failed = relay.reload();
  CHECK(failed.at("cause").get<std::string>().find("does not match keyd's local_keyfile") != std::string::npos);
}
