// The client id comes from the network and names a file. No client id may reach a wrong file or one outside
// private_keys_dir.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// Places keys where a client id would lead if it were used as a path.
void lay_bait(World& world, const Identity& identity) {
  const auto key = read_file(identity.key);
  auto& relay = world.relay();
  fs::create_directories(relay.keys() / "a");
  relay.give_file("a/b.pem", key);
  relay.give_file("x.pem", key);
  relay.give_file("../x.pem", key);
  relay.give_file(".pem", key);
  if (geteuid() == 0) REQUIRE(chown((relay.keys() / "a").c_str(), keyd_user, keyd_user) == 0);
}

}  // namespace

TEST_CASE("a client id that is a path has no key, so the device stays local") {
  World world;
  const auto identity = device_identity("p256", 1);
  lay_bait(world, identity);
  for (const std::string id : {"../x", "a/b", "./x", "/x", "a/../x", "..", ".", "../keys/x", "x/", "//x"}) {
    CAPTURE(id);
    auto device = world.device(identity);
    device.join(id);
    world.local->user_of(id);
    device.ping();
    CHECK(world.remote->connections_of(id) == 0);
  }
  // The key itself works.
  auto device = world.device(identity);
  device.join("x");
  CHECK(world.remote->user_of("x") == identity.name);
}

TEST_CASE("a client id that is an absolute path has no key") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("x", identity);
  const auto id = (world.relay().keys() / "x").string();
  auto device = world.device(identity);
  device.join(id);
  world.local->user_of(id);
  CHECK(world.remote_connections() == 0);
}

TEST_CASE("a client id longer than max_clientid_len is refused, even if it has a key") {
  World world({.relayd = {{"listener", {{"max_clientid_len", 8}}}}});
  const auto identity = device_identity("p256", 1);
  for (const std::string id : {"12345678", "123456789"}) world.give_key(id, identity);
  CHECK(world.refusal(identity, "123456789", mqtt::v311) == 2);
  CHECK(world.refusal(identity, "123456789", mqtt::v5) == 0x85);
  CHECK(world.remote_connections() == 0);
  auto device = world.device(identity);
  device.join("12345678");
}

TEST_CASE("an empty client id has no key, and the local broker assigns an id") {
  World world;
  const auto identity = device_identity("p256", 1);
  lay_bait(world, identity);
  for (const int level : {mqtt::v311, mqtt::v5}) {
    auto device = world.device(identity);
    CHECK(mqtt::connack_code(device.connect({.client_id = "", .level = level})) == 0);
    device.ping();
  }
  CHECK(world.remote_connections() == 0);
  // [MQTT-3.1.3-8]: with a session to keep, the broker itself answers "identifier rejected", which the relay passes on
  // unchanged.
  CHECK(world.refusal(identity, "", mqtt::v31) == 2);
}

TEST_CASE("a client id of 65,535 bytes has no key, so the device stays local") {
  World world;
  const auto identity = device_identity("p256", 1);
  for (const size_t size : {size_t{65'535}, size_t{252}}) {
    const std::string id(size, 'x');
    auto device = world.device(identity);
    device.join(id);
    device.ping();
    world.local->log().wait_text(" as " + id.substr(0, 200));
  }
  CHECK(world.remote_connections() == 0);
}

TEST_CASE("the longest client id that fits in a file name finds its key") {
  World world;
  const auto identity = device_identity("p256", 1);
  const std::string id(251, 'x');  // with ".pem" 255 bytes, the longest file name
  world.give_key(id, identity);
  auto device = world.device(identity);
  device.join(id);
  CHECK(world.remote->user_of(id) == identity.name);
}

TEST_CASE("a NUL in the client id is malformed MQTT") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("x", identity);
  const std::string id("x\0y", 3);
  for (const int level : {mqtt::v31, mqtt::v311}) {
    auto device = world.device(identity);
    device.tls().send(mqtt::connect({.client_id = id, .level = level}));
    CHECK(device.tls().read_to_end().leftover.empty());
  }
  CHECK(world.refusal(identity, id, mqtt::v5) == 0x81);
  CHECK(world.remote_connections() == 0);
  CHECK(world.local->log().count_text("New connection from") == 0);
}

TEST_CASE("a first packet that is not a CONNECT closes the connection") {
  World world;
  const auto identity = device_identity("p256", 1);
  for (const std::string& first :
       {mqtt::pingreq(), mqtt::publish({.topic = "any/t", .payload = "x"}), std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string("\x10\xff\xff\xff\xff\x7f"), mqtt::packet(0x10, mqtt::text("MQTT") + "\x04")}) {
    auto device = world.device(identity);
    device.tls().send(first);
    CHECK(device.tls().read_to_end().leftover.empty());
  }
  CHECK(world.remote_connections() == 0);
  CHECK(world.local->log().count_text("New connection from") == 0);
}

TEST_CASE("an unknown protocol version gets the CONNACK that says so") {
  World world;
  const auto identity = device_identity("p256", 1);
  auto bytes = mqtt::connect({.client_id = "x"});
  bytes[8] = 3;  // the protocol name "MQTT" with level 3
  auto device = world.device(identity);
  device.tls().send(bytes);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 1);
  bytes[8] = 6;
  auto newer = world.device(identity);
  newer.tls().send(bytes);
  CHECK(mqtt::connack_code(newer.tls().read_packet()) == 0x84);
}
