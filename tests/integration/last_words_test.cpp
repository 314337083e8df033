// The last packet from either side arrives whole before the other side is closed.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// The device sends its CONNECT; then the test acts as the remote.
struct Pair {
  World world{{.remote = RemoteKind::captured}};
  Device device;
  TlsStream remote;

  explicit Pair(const mqtt::Connect& connect) : device(knock(connect)), remote(world.captured->accept()) {
    remote.read_packet();
  }

 private:
  Device knock(const mqtt::Connect& connect) {
    const auto identity = device_identity("p256", 1);
    world.give_key(connect.client_id, identity);
    auto made = world.device(identity);
    made.tls().send(mqtt::connect(connect));
    return made;
  }
};

const std::string kAuth = mqtt::packet(
    0xf0, std::string("\x18\x0b\x15", 3) + mqtt::text("PLAIN") + '\x16' + mqtt::text("x"));  // continue authentication

mqtt::Connect with_authentication() {
  return {.client_id = "thermo", .level = mqtt::v5, .properties = '\x15' + mqtt::text("PLAIN")};
}

}  // namespace

TEST_CASE("a CONNACK with a refusal that arrives in pieces is passed on whole") {
  const auto reason = "\x1f" + mqtt::text("no such user");
  const auto refusal = mqtt::packet(0x20, std::string("\0\x86", 2) + mqtt::variable_length(reason.size()) + reason);
  Pair pair({.client_id = "thermo", .level = mqtt::v5});
  for (const char byte : refusal) {  // one record a byte, each delivered before the next is sent
    pair.remote.send({&byte, 1});
    CHECK(pair.device.tls().read_exactly(1) == std::string(1, byte));
  }
  CHECK(pair.device.tls().read_to_end().leftover.empty());
}

TEST_CASE("the relay's own refusal reaches the device even after the remote's AUTH packets") {
  Pair pair(with_authentication());
  pair.remote.send(kAuth);
  CHECK(pair.device.tls().read_packet().bytes == kAuth);
  SECTION("whole") {
    pair.remote.vanish();
    CHECK(mqtt::connack_code(pair.device.tls().read_packet()) == 0x88);
  }
  SECTION("not in the middle of a packet") {
    pair.remote.send(kAuth.substr(0, 3));
    CHECK(pair.device.tls().read_exactly(3) == kAuth.substr(0, 3));
    pair.remote.vanish();
  }
  CHECK(pair.device.tls().read_to_end().leftover.empty());
}

TEST_CASE("mosquitto's answer to an invalid DISCONNECT reaches the device, as it would without the relay") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  const bool leaves = GENERATE(false, true);  // the device either closes its side at once or waits
  // A Session Expiry Interval although CONNECT had none is a protocol error (MQTT section 3.14.2.2.2).
  const std::string wrong = mqtt::disconnect(mqtt::v5, std::string("\0\5\x11\0\0\0\x0a", 7));
  std::string answers[2];
  for (const bool relayed : {false, true}) {
    auto device = relayed ? world.device(identity) : world.direct(identity);
    device.join("thermo", mqtt::v5);
    device.tls().send(wrong);
    if (leaves) device.tls().close_notify_and_fin();
    answers[relayed] = device.tls().read_to_end().leftover;
  }
  REQUIRE_FALSE(answers[0].empty());
  CHECK(answers[1] == answers[0]);
}

TEST_CASE("if the remote ignores a DISCONNECT, the relay closes the device's connection anyway") {
  Pair pair({.client_id = "thermo"});
  pair.remote.send(connack_accepted);
  pair.device.tls().read_packet();
  pair.device.tls().send(mqtt::disconnect());
  CHECK(pair.remote.read_packet().type() == mqtt::Type::disconnect);
  CHECK(pair.device.tls().read_to_end().leftover.empty());
  CHECK(pair.remote.read_to_end().how == Ending::close_notify);
}

TEST_CASE("a close right after DISCONNECT is passed on at once, and the remote's answer still reaches the device") {
  Pair pair({.client_id = "thermo", .level = mqtt::v5});
  pair.remote.send(connack_accepted_v5);
  pair.device.tls().read_packet();
  pair.device.tls().send(mqtt::disconnect(mqtt::v5));
  pair.device.tls().close_notify_and_fin();
  CHECK(pair.remote.read_packet().type() == mqtt::Type::disconnect);
  CHECK(pair.remote.read_to_end(Deadline(std::chrono::seconds(3) * HARNESS_PATIENCE_FACTOR)).how ==
        Ending::close_notify);
  const auto answer = mqtt::disconnect(mqtt::v5, std::string("\x82\0", 2));
  pair.remote.send(answer);
  pair.remote.close_notify_and_fin();
  CHECK(pair.device.tls().read_to_end().leftover == answer);
}
