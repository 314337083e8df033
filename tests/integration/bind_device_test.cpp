// With bind_device a device proves its presence by its own certificate, whatever key signs for it. What a captured
// worker would ask is asked here in its place, on its own connection.
#include <signal.h>

#include "ipc/codec.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/keyd_wire.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

Json by_device_ca(const fs::path& authority = authorities().root) {
  return {{"bind_device", {{"cacertfile", authority.string()}}}};
}

std::vector<Json> device_lines(World& world, const std::string& event) {
  return world.relay().audit().json(
      [&](const Json& line) { return line.value("event", "") == event && line.value("role", "") == "device"; });
}

// A device whose own certificate names it has connected; the key that is here for it is another one.
struct OtherKey : WiredWorld {
  Identity identity, key;
  std::optional<Device> device;
  Datagram asked;  // its LOOKUP, with a proof
  ipc::Lookup claim;

  explicit OtherKey(TlsVersion version = TlsVersion::any, const std::string& type = "p256",
                    const Json& keyd = by_device_ca())
      : WiredWorld({.keyd = keyd}), identity(device_identity(type, 1)), key(device_identity("p256", 7)) {
    give_key(identity.name, key);
    device.emplace(identity, relay().endpoint(), version);
    device->connect({.client_id = identity.name});  // refused: relayd asks for the key of its own certificate
    asked = wire->last(ipc::Op::lookup);
    const auto request = ipc::decode_request(asked);
    REQUIRE(request);
    claim = std::get<ipc::Lookup>(request->body);
    REQUIRE(claim.proof.presence != ipc::Presence::none);
    claim.spki = spki_of(key.key);
  }
  ipc::Sign signature() const {
    static const Datagram content(32, 1);
    return {
        .key = {.role = ipc::Role::device, .spki = claim.spki, .origin = claim.origin, .client_id = claim.client_id},
        .kind = ipc::Kind::tls13_client,
        .scheme = common::tls::Scheme::ecdsa_sha256,
        .content = content};
  }
  std::string reason() { return device_lines(*this, "lookup").back().at("reason"); }
  void refused(const ipc::Lookup& wrong, const std::string& why) {
    CHECK(wire->ask({0, wrong}) == ipc::Status::denied);
    CHECK_THAT(reason(), Catch::Matchers::Contains(why));
    CHECK(wire->ask({0, signature()}) == ipc::Status::denied);
    CHECK(device_lines(*this, "sign").back().at("reason") == "no proof of presence");
  }
};

// Devices have certificates of the site; the broker admits those of the cloud, whose keys and files are on the gateway.
struct SiteAndCloud {
  TempDir directory;
  const pki::Identity site = field::root("Site"), cloud = field::root("Cloud");
  const fs::path certs = directory / "certs", site_ca = field::save_certificates(directory / "site.pem", {site});
  std::unique_ptr<World> world;

  SiteAndCloud() {
    fs::create_directory(certs);
    for (const fs::path& open : {directory.path(), certs}) fs::permissions(open, fs::perms::all);
    fs::permissions(site_ca, fs::perms(0644));
    world = std::make_unique<World>(
        WorldOptions{.keyd = by_device_ca(site_ca),
                     .relayd = {{"listener", {{"cacertfile", site_ca}}},
                                {"remote", {{"certificate", "file"}, {"certs_dir", certs}}}},
                     .remote_trusts = field::save_certificates(directory / "cloud.pem", {cloud})});
  }
  // A pair of the cloud, with this common name.
  void give(const std::string& client_id, const std::string& name, const std::string& kind = "P-256") {
    const auto pair = field::device(cloud, {.subject = pki::cn(name)}, kind);
    write_file(certs / (client_id + ".crt"), pair.pem());
    fs::permissions(certs / (client_id + ".crt"), fs::perms(0644));
    world->relay().give_file(client_id + ".pem", pair.key_pem());
  }
  Device device(const std::string& name, TlsVersion version = TlsVersion::any, const std::string& kind = "P-256") {
    const auto own = field::save(directory.path(), name, {field::device(site, {.subject = pki::cn(name)}, kind)});
    return Device(TlsStream::connect(world->relay().endpoint(), field::client(own, version)));
  }
};

}  // namespace

TEST_CASE("bind_device: a device with the site's certificate uses the key that is here for it") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const std::string own = GENERATE("P-256", "RSA:2048"), here = GENERATE("P-256", "RSA:2048", "ED25519");
  CAPTURE(own, here, version == TlsVersion::v1_3);
  SiteAndCloud gateway;
  gateway.give("dev1", "cloud-of-dev1", here);
  auto device = gateway.device("dev1", version, own);
  device.join("dev1").ping();
  CHECK(gateway.world->remote->user_of("dev1") == "cloud-of-dev1");
  const auto lookup = device_lines(*gateway.world, "lookup").back(), sign = device_lines(*gateway.world, "sign").back();
  CHECK(lookup.at("result") == "ok");
  CHECK(sign.at("result") == "ok");
  CHECK(sign.at("handshake") == lookup.at("handshake"));
  CHECK_FALSE(sign.contains("presence"));
  // Another device of the site.
  gateway.give("dev2", "cloud-of-dev2", here);
  auto thief = gateway.device("dev2", version, own);
  CHECK(mqtt::connack_code(thief.connect({.client_id = "dev1"})) == 3);
  CHECK_THAT(device_lines(*gateway.world, "lookup").back().at("reason").get<std::string>(),
             Catch::Matchers::Contains("the client id is not the common name of the device's certificate"));
  device.ping();
}

TEST_CASE("bind_device: check says when devices with keys of their own need it") {
  SiteAndCloud gateway;
  const auto found = [&] {
    const auto checked = run(gateway.world->relay().operator_command(
        {"check", "--json", "--keyd-config", gateway.world->relay().keyd_configuration(), "--relayd-config",
         gateway.world->relay().relayd_configuration()}));
    const Json all = Json::parse(checked.out);
    for (const Json& check : all.at("checks"))
      if (check.at("name") == "bind-device") return check;
    return Json();
  };
  CHECK(found().at("result") == "ok");
  gateway.world->relay().patch_keyd({{"bind_device", nullptr}});
  CHECK(found().at("result") == "warning");
  CHECK_THAT(found().at("found").get<std::string>(), Catch::Matchers::Contains("with another key it is refused"));
}

TEST_CASE("bind_device: keyd signs with another key than the device's for a device that shows its certificate") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const std::string type = GENERATE("rsa2048", "p256", "p384", "ed25519");
  CAPTURE(type, version == TlsVersion::v1_3);
  OtherKey world(version, type);
  CHECK(device_lines(world, "lookup").back().at("result") == "mismatch");  // relayd's
  CHECK(world.wire->ask({0, world.signature()}) == ipc::Status::denied);
  CHECK(world.wire->ask({0, world.claim}) == ipc::Status::ok);
  const std::string handshake = device_lines(world, "lookup").back().at("handshake");
  for (int i = 0; i < 3; i++) CHECK(world.wire->ask({0, world.signature()}) == ipc::Status::ok);
  CHECK(device_lines(world, "sign").back().at("handshake") == handshake);
  CHECK(world.wire->ask({0, world.signature()}) == ipc::Status::denied);
  CHECK(device_lines(world, "sign").back().at("reason") == "the proof is spent");
}

TEST_CASE("bind_device: no other device can use that key, nor can a worker without the device") {
  OtherKey world;
  // Another device, with a certificate of the same CA, and with a handshake of its own.
  const auto thief = device_identity("p256", 2);
  world.give_key(thief.name, device_identity("p256", 8));
  Device(thief, world.relay().endpoint(), TlsVersion::any).connect({.client_id = thief.name});
  const Datagram stolen = world.wire->last(ipc::Op::lookup);
  ipc::Lookup wrong = std::get<ipc::Lookup>(ipc::decode_request(stolen)->body);
  wrong.client_id = world.identity.name;
  wrong.spki = world.claim.spki;
  world.refused(wrong, "the client id is not the common name of the device's certificate (bind_device.client_id_from)");
  // Messages that the device did not sign.
  Datagram messages(world.claim.proof.messages.begin(), world.claim.proof.messages.end());
  wrong = world.claim;
  messages[10] ^= 1;  // in the ClientHello's random
  wrong.proof.messages = messages;
  world.refused(wrong, "the device's signature is not for this handshake");
  // A signature that is not its own.
  Datagram signature(world.claim.proof.signature.begin(), world.claim.proof.signature.end());
  wrong = world.claim;
  signature.back() ^= 1;
  wrong.proof.signature = signature;
  world.refused(wrong, "the device's signature is not for this handshake");
  // No proof at all, and the right one for another session or key.
  wrong = world.claim;
  wrong.proof = {};
  CHECK(world.wire->ask({0, wrong}) == ipc::Status::ok);
  CHECK(world.wire->ask({0, world.signature()}) == ipc::Status::denied);
  wrong = world.claim;
  wrong.spki.fill(1);
  CHECK(world.wire->ask({0, wrong}) == ipc::Status::mismatch);
  CHECK(world.wire->ask({0, world.claim}) == ipc::Status::ok);
  wrong = world.claim;
  wrong.origin.session++;
  CHECK(world.wire->ask({0, wrong}) == ipc::Status::denied);
  CHECK(world.reason() == "the proof is of another session");
}

TEST_CASE("bind_device: a handshake with another server is no proof, though the device's own certificate is in it") {
  OtherKey world;
  // keyd's restart forgets which handshakes are its own.
  world.relay().start_keyd();
  Device(device_identity("p256", 3), world.relay().endpoint(), TlsVersion::any).connect({.client_id = "elsewhere"});
  CHECK(world.wire->ask({0, world.claim}) == ipc::Status::denied);
  CHECK(world.reason() ==
        "the proof holds no listener signature that keyd made for this worker within presence_window");
}

TEST_CASE("bind_device: a certificate of another CA than keyd's proves nothing, whatever relayd accepts") {
  OtherKey world(TlsVersion::any, "p256", by_device_ca(strange_authorities().root));
  world.refused(world.claim, "the device's certificate ");
}

TEST_CASE("bind_device: a device that holds the key itself is served, if its certificate is for its client id") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  World world({.keyd = by_device_ca()});
  const auto identity = device_identity("p256", 1);
  world.give_key(identity.name, identity);
  world.give_key("other", identity);
  auto device = world.device(identity, version);
  device.join(identity.name);
  CHECK(world.remote->user_of(identity.name) == identity.name);
  CHECK(world.refusal(identity, "other", mqtt::v311) == 3);
  CHECK_THAT(device_lines(world, "lookup").back().at("reason").get<std::string>(),
             Catch::Matchers::Contains("the client id is not the common name"));
}

TEST_CASE("bind_device: a device without a key stays local, whatever its certificate says") {
  World world({.keyd = by_device_ca(strange_authorities().root)});
  const auto listener = world.local_listener();
  auto device = world.device(device_identity("p256", 1));
  device.join("nobody");
  CHECK(device_lines(world, "lookup").back().at("result") == "not_found");
}

TEST_CASE("bind_device: without its notary no device with a key is served, and those without one still are") {
  World world({.keyd = by_device_ca()});
  const auto identity = device_identity("p256", 1);
  world.give_key(identity.name, identity);
  const pid_t guardian = child_named(world.relay().keyd().pid(), "keyd-guardian"),
              notary = child_named(guardian, "keyd-notary");
  REQUIRE(kill(notary, SIGSTOP) == 0);
  world.device(device_identity("p256", 2)).join("nobody");
  CHECK(world.refusal(identity, identity.name, mqtt::v311) == 3);
  CHECK(device_lines(world, "lookup").back().at("reason") == "the notary gave no answer");
  world.relay().keyd().err().wait_text("the notary answers again");
  world.device(identity).join(identity.name);
}
