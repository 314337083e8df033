// Proof of presence: a device's key signs only for a device that has just proved to this gateway that it holds the key,
// and only for that connection. What a captured worker would ask is asked here in its place, on its own connection.

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "ipc/codec.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/keyd_wire.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

std::vector<Json> lines_of(World& world, const std::string& event, const std::string& role) {
  return world.relay().audit().json(
      [&](const Json& line) { return line.value("event", "") == event && line.value("role", "") == role; });
}

std::vector<Json> signatures(World& world, const std::string& role) { return lines_of(world, "sign", role); }

std::vector<Json> lookups(World& world) { return lines_of(world, "lookup", "device"); }

Datagram digest_of(const Datagram& bytes, bool sha384) {
  Datagram digest(sha384 ? 48 : 32);
  REQUIRE(
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, sha384 ? EVP_sha384() : EVP_sha256(), nullptr));
  return digest;
}

}  // namespace

TEST_CASE("presence: both handshakes of a session carry one id in the audit, and each session another") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  World world;
  std::vector<std::string> ids;
  for (const auto& type : key_types) {
    const auto identity = device_identity(type, 1);
    world.give_key("client-" + type, identity);
    world.device(identity, version).join("client-" + type);
    const auto listener = signatures(world, "listener"), device = signatures(world, "device");
    REQUIRE(listener.size() == device.size());
    const std::string id = device.back().at("handshake");
    CAPTURE(device.back().dump());
    CHECK(device.back().at("result") == "ok");
    CHECK_FALSE(device.back().contains("presence"));
    CHECK(id.size() == 16);
    CHECK(listener.back().at("handshake") == id);
    CHECK(listener.back().at("session") == device.back().at("session"));
    CHECK(lookups(world).back().at("handshake") == id);
    CHECK(lookups(world).back().at("session") == device.back().at("session"));
    CHECK(std::find(ids.begin(), ids.end(), id) == ids.end());
    ids.push_back(id);
  }
}

TEST_CASE("presence: a captured worker has nothing signed for a device but the tries of the session that it is in") {
  WiredWorld world;
  KeydWire& wire = *world.wire;
  const auto identity = device_identity("p256", 1), another = device_identity("p256", 2);
  world.give_key("thermo", identity);
  world.give_key("other", another);
  auto device = world.device(identity);
  device.join("thermo");

  const Datagram sent = wire.last(ipc::Op::sign), asked = wire.last(ipc::Op::lookup);
  const auto request = ipc::decode_request(sent), question = ipc::decode_request(asked);
  REQUIRE((request && question));
  const auto& right = std::get<ipc::Sign>(request->body);
  const auto& proved = std::get<ipc::Lookup>(question->body);
  REQUIRE(proved.proof.presence != ipc::Presence::none);
  const auto refused = [&](const auto& body, const std::string& why) {
    CHECK(wire.ask({0, body}) == ipc::Status::denied);
    const bool sign = std::is_same_v<std::decay_t<decltype(body)>, ipc::Sign>;
    CHECK((sign ? signatures(world, "device") : lookups(world)).back().at("reason").template get<std::string>() == why);
  };
  ipc::Sign wrong = right;
  wrong.key.origin.session++;
  refused(wrong, "no proof of presence");
  ipc::Lookup claim = proved;
  claim.origin.session++;
  refused(claim, "the proof is of another session");
  wrong = right;  // for a device that is not here
  claim = proved;
  wrong.key.client_id = claim.client_id = "other";
  CHECK(wire.ask({0, wrong}) == ipc::Status::mismatch);
  CHECK(wire.ask({0, claim}) == ipc::Status::mismatch);
  wrong.key.spki = claim.spki = spki_of(another.key);
  refused(wrong, "no proof of presence");
  refused(claim, "the proof is of another session");
  // What the worker would rather have signed.
  wrong = right;
  wrong.kind = ipc::Kind::tls12_client;
  for (const std::string& text :
       {std::string("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ0aGVybW8ifQ"),
        std::string(64, ' ') + "TLS 1.3, server CertificateVerify" + '\0' + std::string(32, 1), std::string(32, 2)}) {
    const Datagram content(text.begin(), text.end());
    wrong.content = content;
    refused(wrong, "the transcript does not begin with a ClientHello");
  }
  wrong = right;
  wrong.kind = ipc::Kind::tls13_server;
  refused(wrong, "the role does not sign handshakes of this kind");
  // A handshake that the device did not make.
  Datagram messages(proved.proof.messages.begin(), proved.proof.messages.end());
  claim = proved;
  messages[10] ^= 1;  // in the ClientHello's random
  claim.proof.messages = messages;
  refused(claim, "the proof holds no listener signature that keyd made for this worker within presence_window");
  messages[10] ^= 1;
  messages.back() ^= 1;  // in the device's own certificate message
  refused(claim, "the device's signature does not verify under this key");
  // The session has had one signature: two are left, and the same handshake again adds none.
  for (int i = 0; i < 2; i++) CHECK(wire.ask({0, right}) == ipc::Status::ok);
  refused(right, "the proof is spent");
  CHECK(wire.ask({0, proved}) == ipc::Status::ok);
  refused(right, "the proof is spent");
}

// The device's key lies on the gateway, so keyd could make what looks like a device's signature.
TEST_CASE("presence: what keyd itself signed with a device's key proves nothing") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const bool tls13 = version == TlsVersion::v1_3;
  WiredWorld world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity, version);
  device.join("thermo");
  const Datagram sent = world.wire->last(ipc::Op::sign), asked = world.wire->last(ipc::Op::lookup);
  const auto request = ipc::decode_request(sent), question = ipc::decode_request(asked);
  REQUIRE((request && question));

  // A handshake like the device's, with another ClientHello, to which the listener's key signs.
  ipc::Sign listen;
  listen.key.role = ipc::Role::listener;
  listen.key.spki = spki_of(world.relay().keys().parent_path() / "listener.key");
  listen.kind = tls13 ? ipc::Kind::tls13_server : ipc::Kind::tls12_server;
  ipc::Lookup claim = std::get<ipc::Lookup>(question->body);
  const bool sha384 = claim.proof.presence == ipc::Presence::tls13_sha384;
  Datagram forged, covered;
  size_t hellos = 0;
  bool done = false;
  for (auto rest = claim.proof.messages; !rest.empty();) {
    const size_t size = 4 + (rest[1] << 16 | rest[2] << 8 | rest[3]);
    Datagram message(rest.begin(), rest.begin() + static_cast<long>(size));
    rest = rest.subspan(size);
    if (!tls13 && hellos < 2) {
      if (++hellos == 1) message[10] ^= 1;
      covered.insert(covered.end(), message.begin() + 6, message.begin() + 38);
    } else if (tls13 && forged.empty()) {
      message[10] ^= 1;
    }
    if (!done && message[0] == (tls13 ? 15 : 12)) {
      const size_t at = tls13 ? 4 : 8 + message[7];  // of the scheme
      if (!tls13) covered.insert(covered.end(), message.begin() + 4, message.begin() + static_cast<long>(at));
      listen.scheme = static_cast<ipc::Scheme>(message[at] << 8 | message[at + 1]);
      listen.content = covered;
      const auto signature = world.wire->answer_to({0, listen});
      REQUIRE(signature.status == ipc::Status::ok);
      message.resize(at + 2);
      message.insert(message.end(), {0, static_cast<uint8_t>(signature.payload.size())});
      message.insert(message.end(), signature.payload.begin(), signature.payload.end());
      message[2] = static_cast<uint8_t>((message.size() - 4) >> 8);
      message[3] = static_cast<uint8_t>(message.size() - 4);
      done = true;
    }
    forged.insert(forged.end(), message.begin(), message.end());
    if (tls13 && !done) covered = digest_of(forged, sha384);
  }
  REQUIRE(done);
  ipc::Sign as_device = std::get<ipc::Sign>(request->body);
  const Datagram content = tls13 ? digest_of(forged, sha384) : forged;
  as_device.kind = tls13 ? ipc::Kind::tls13_client : ipc::Kind::tls12_client;
  as_device.content = content;
  const auto signature = world.wire->answer_to({0, as_device});  // the second of the session's three
  REQUIRE(signature.status == ipc::Status::ok);
  claim.origin.session++;
  claim.proof.scheme = as_device.scheme;
  claim.proof.signature = signature.payload;
  claim.proof.messages = forged;
  CHECK(world.wire->ask({0, claim}) == ipc::Status::denied);
  CHECK(lookups(world).back().value("reason", "") == "the device's signature is one that keyd made");
  as_device.key.origin.session++;
  CHECK(world.wire->ask({0, as_device}) == ipc::Status::denied);
}

TEST_CASE(
    "presence: if keyd restarts between a device's handshakes, the device is told to come again, and then served") {
  World world;
  const auto identity = device_identity("p256", 1);
  for (const char* id : {"old-3", "old-5", "new"}) world.give_key(id, identity);
  auto old_3 = world.device(identity), old_5 = world.device(identity);
  world.relay().start_keyd();  // the previous keyd was killed
  CHECK(mqtt::connack_code(old_3.connect({.client_id = "old-3"})) == 3);
  CHECK(mqtt::connack_code(old_5.connect({.client_id = "old-5", .level = mqtt::v5})) == 0x88);
  CHECK(lookups(world).size() == 2);
  for (const auto& line : lookups(world))
    CHECK(line.at("reason") ==
          "the proof holds no listener signature that keyd made for this worker within presence_window");
  CHECK(world.relay().log().count_text("`mqtt-relay audit show --denied --client=old-3` says which rule forbids it") ==
        1);
  world.device(identity).join("new");
  CHECK(world.remote->user_of("new") == identity.name);
}

TEST_CASE("presence: a hundred devices at once each prove their own") {
  World world({.relayd = {{"workers", 2}}});
  const auto identity = device_identity("p256", 1);
  std::vector<Device> devices;
  for (int i = 0; i < 100; i++) {
    world.give_key("client-" + std::to_string(i), identity);
    devices.push_back(world.device(identity, i % 2 == 0 ? TlsVersion::v1_2 : TlsVersion::v1_3));
  }
  for (size_t i = 0; i < devices.size(); i++)
    devices[i].tls().send(mqtt::connect({.client_id = "client-" + std::to_string(i)}));
  for (auto& device : devices) CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
  for (const auto& line : signatures(world, "device")) CHECK(line.at("result") == "ok");
  CHECK(signatures(world, "device").size() == 100);
}

TEST_CASE("presence: without require_presence keyd warns, and its audit says that none was required") {
  World world({.keyd = {{"require_presence", false}}});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  world.device(identity).join("thermo");
  const auto lines = signatures(world, "device");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].at("presence") == "not required");
  CHECK_FALSE(lines[0].contains("handshake"));
  CHECK(world.relay().keyd().err().count_text("require_presence is false: an attacker in a worker") == 1);
}

TEST_CASE("presence: the listener's key in private_keys_dir stops keyd with the setting, the file and the remedy") {
  World world({.start = false});
  const auto file = world.relay().keys() / "gateway.pem";
  fs::copy_file(world.relay().keys().parent_path() / "listener.key", file);
  world.relay().patch_keyd({{"listener_keyfile", file}});
  const auto ended = world.relay().run_keyd();
  CHECK(ended.status.code == 78);
  for (const std::string& part :
       {std::string("listener_keyfile: found"), file.string(), std::string("also the key of a device named"),
        std::string("gateway"), std::string("move it to another directory")})
    CHECK(ended.err.find(part) != std::string::npos);
}

TEST_CASE("presence: a device with a copy of the listener's key is refused, and keyd's log says what to do") {
  World world;
  const auto listener = read_file(world.relay().keys().parent_path() / "listener.key");
  world.relay().give_file("thermo.pem", listener);
  const auto identity = device_identity("p256", 1);
  // The lookup finds the key unusable before it compares it with the device's certificate.
  CHECK(world.refusal(identity, "thermo", mqtt::v311) == 3);
  CHECK(world.refusal(identity, "thermo", mqtt::v5) == 0x88);
  CHECK(world.relay().keyd().err().count_text("relayd has the same key for another purpose") > 0);
}
