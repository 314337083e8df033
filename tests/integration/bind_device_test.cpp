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

}  // namespace

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
  const pid_t guardian = children_of(world.relay().keyd().pid()).at(0), notary = children_of(guardian).at(0);
  REQUIRE(kill(notary, SIGSTOP) == 0);
  world.device(device_identity("p256", 2)).join("nobody");
  CHECK(world.refusal(identity, identity.name, mqtt::v311) == 3);
  CHECK(device_lines(world, "lookup").back().at("reason") == "the notary gave no answer");
  world.relay().keyd().err().wait_text("the notary answers again");
  world.device(identity).join(identity.name);
}
