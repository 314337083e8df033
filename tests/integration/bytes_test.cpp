// The relay passes bytes on and adds none: the remote receives what the device sent.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

mqtt::Connect everything(int level) {
  mqtt::Connect c{.client_id = "alpha", .level = level, .clean = false, .keep_alive = 4711};
  c.will = mqtt::Will{.topic = "will/ä", .payload = std::string("\0\x01\xff", 3), .qos = 2, .retain = true};
  c.username = "somebody";
  c.password = std::string("\xff\0pass", 6);
  if (level == mqtt::v5) {
    c.properties = mqtt::user_property("k", "v") + std::string("\x11\0\0\0\x3c", 5);
    c.will->properties = mqtt::user_property("w", "x");
  }
  return c;
}

int any_level() { return GENERATE(mqtt::v31, mqtt::v311, mqtt::v5); }

}  // namespace

TEST_CASE("the remote receives the device's CONNECT byte for byte") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("alpha", identity);
  const int level = any_level();
  for (const auto& connect :
       {mqtt::connect(everything(level)), mqtt::connect({.client_id = "alpha", .level = level})}) {
    auto device = world.device(identity);
    device.tls().send(connect);
    auto remote = world.captured->accept();
    CHECK((remote.read_exactly(connect.size()) == connect));
    const auto& accepted = level == mqtt::v5 ? connack_accepted_v5 : connack_accepted;
    remote.send(accepted);
    CHECK(device.tls().read_packet().bytes == accepted);
    // Nothing follows the device's bytes: no PINGREQ, no DISCONNECT.
    device.tls().send(mqtt::pingreq());
    device.tls().close_notify_and_fin();
    CHECK(remote.read_to_end().leftover == mqtt::pingreq());
  }
}

TEST_CASE("a CONNECT sent one byte at a time arrives whole") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("alpha", identity);
  const auto connect = mqtt::connect(everything(mqtt::v5));
  auto device = world.device(identity);
  for (const char byte : connect) device.tls().send({&byte, 1});
  auto remote = world.captured->accept();
  CHECK((remote.read_exactly(connect.size()) == connect));
}

TEST_CASE("a CONNECT with a will of 60,000 bytes arrives whole") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("alpha", identity);
  const auto connect = mqtt::connect(
      {.client_id = "alpha", .will = mqtt::Will{.topic = "will/p256-1", .payload = std::string(60'000, 'w')}});
  auto device = world.device(identity);
  device.tls().send(connect);
  auto remote = world.captured->accept();
  CHECK((remote.read_exactly(connect.size()) == connect));
}

TEST_CASE("a PUBLISH arrives even if CONNECT, PUBLISH, DISCONNECT and FIN come in one write") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("alpha", identity);
  auto observer = world.direct(device_identity("p256", 99));
  observer.join("observer");
  REQUIRE(observer.subscribe("any/#", 1) == 1);
  const int level = any_level();
  // First without the relay, to show that the broker accepts it.
  for (const bool relayed : {false, true}) {
    CAPTURE(relayed);
    auto device = relayed ? world.device(identity) : world.direct(identity);
    const auto said = relayed ? "through the relay" : "directly";
    device.tls().send(mqtt::connect({.client_id = "alpha", .level = level}) +
                      mqtt::publish({.topic = "any/last", .payload = said}, level) + mqtt::disconnect(level));
    device.tls().close_notify_and_fin();
    CHECK(observer.next_message().payload == said);
  }
}

TEST_CASE("everything that a device sends after its CONNECT arrives complete and in order, and then its close") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("alpha", identity);
  std::string all = mqtt::connect({.client_id = "alpha"});
  for (int i = 0; i < 500; ++i) all += mqtt::publish({.topic = "any/t", .payload = std::to_string(i)});
  all += mqtt::disconnect();
  auto device = world.device(identity);
  device.tls().send(all);
  device.tls().close_notify_and_fin();
  auto remote = world.captured->accept();
  const auto connect = remote.read_exactly(mqtt::connect({.client_id = "alpha"}).size());
  remote.send(connack_accepted);
  const auto ending = remote.read_to_end();
  CHECK((connect + ending.leftover == all));
  CHECK(ending.how == Ending::close_notify);
}

TEST_CASE("everything that the remote sends after its CONNACK arrives complete and in order, and then its close") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("alpha", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "alpha"}));
  auto remote = world.captured->accept();
  std::string all = connack_accepted;
  for (int i = 0; i < 500; ++i) all += mqtt::publish({.topic = "any/t", .payload = std::to_string(i)});
  remote.send(all);
  remote.close_notify_and_fin();
  CHECK((device.tls().read_to_end().leftover == all));
}

TEST_CASE("the relay never answers a PINGREQ itself") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("alpha", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "alpha"}));
  auto remote = world.captured->accept();
  remote.read_packet();
  remote.send(connack_accepted);
  device.tls().read_packet();
  device.tls().send(mqtt::pingreq());
  CHECK(remote.read_packet().type() == mqtt::Type::pingreq);
  // An answer of the relay's own would have come before the remote's next packet.
  remote.send(mqtt::publish({.topic = "any/t", .payload = "first"}));
  CHECK(device.tls().read_packet().type() == mqtt::Type::publish);
}
