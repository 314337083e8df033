// local.tap: local subscribers see what relayed devices publish, and the relay never waits for the local broker.

#include <csignal>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;
using namespace std::string_literals;

namespace {

Json tapped(const Json& more = Json::object()) {
  Json local = {{"tap", true}};
  local.merge_patch(more);
  return {{"local", local}};
}

void wait_connected(World& world, size_t mark = 0) {
  world.relay().log().wait_text("local.tap: connected to the local broker", mark);
}

}  // namespace

TEST_CASE("tap: local subscribers see what a relayed device publishes, at QoS 0 and with the prefix") {
  const int level = GENERATE(mqtt::v311, mqtt::v5);
  World world({.relayd = tapped({{"tap_prefix", "site7/"}})});
  wait_connected(world);
  const auto local = world.local_listener();
  auto device = world.join("dev1", level);
  for (int qos = 0; qos <= 2; qos++) {
    device.publish("any/" + std::to_string(qos), "payload " + std::to_string(qos), qos);
    local->out().wait_text("site7/any/" + std::to_string(qos) + " payload " + std::to_string(qos));
  }
  // A device without a key talks to the local broker itself: nothing of it is copied.
  auto keyless = world.device(device_identity("p256", 2));
  keyless.join("keyless", level);
  keyless.publish("own", "once", 1);
  device.publish("any/last", "last", 1);
  local->out().wait_text("site7/any/last last");
  CHECK(local->out().count_text("own once") == 1);
}

TEST_CASE("tap: a topic alias is resolved, and MQTT 5 properties are kept") {
  World world({.relayd = tapped(), .remote_more = "max_topic_alias 10"});
  wait_connected(world);
  Process subscriber({.argv = {"mosquitto_sub", "-V", "mqttv5", "-h", own_address(), "-p", std::to_string(ports::local),
                               "-t", "#", "-i", "listener", "-F", "%t %C %P %p"}});
  world.local->log().wait_text("Sending SUBACK to listener");
  auto device = world.join("dev1", mqtt::v5);
  const std::string type = "\x03\0\x0atext/plain"s, user = "\x26\0\x01k\0\x01v"s, alias = "\x23\0\x05"s;
  device.publish("any/aliased", "first", 1, false, type + alias + user);
  device.publish("", "second", 1, false, alias);
  subscriber.out().wait_text("any/aliased text/plain k:v first");
  subscriber.out().wait_text("any/aliased   second");
}

TEST_CASE("tap: a device that the remote broker refuses reaches no local subscriber") {
  World world({.relayd = tapped(), .remote = RemoteKind::captured});
  wait_connected(world);
  const auto local = world.local_listener();
  const auto identity = device_identity("p256", 1);
  world.give_key("dev1", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "dev1"}) + mqtt::publish({.topic = "any/early", .payload = "refused"}));
  {
    auto remote = world.captured->accept();
    remote.read_packet();
    remote.read_packet();
    remote.send("\x20\x02\x00\x05"s);
    device.tls().read_to_end();
  }
  auto again = world.device(identity);
  again.tls().send(mqtt::connect({.client_id = "dev1"}) + mqtt::publish({.topic = "any/early", .payload = "accepted"}));
  auto remote = world.captured->accept();
  remote.read_packet();
  remote.read_packet();
  remote.send(connack_accepted);
  local->out().wait_text("any/early accepted");
  CHECK(local->out().count_text("refused") == 0);
}

TEST_CASE("tap: a local broker that has stopped slows no device, and what it misses is counted") {
  TempDir directory;
  fs::permissions(directory.path(), fs::perms::all);
  Json relayd = tapped({{"tap_queue", "64KB"}});
  relayd["control_socket"] = directory / "control.sock";
  World world({.relayd = relayd});
  wait_connected(world);
  auto device = world.join("dev1");
  const auto dropped = [&] {
    const auto asked = world.relay().ask_relayd({"status"});
    return Json::parse(asked.out).at("total").at("tap_dropped").at("queue_full").get<uint64_t>();
  };
  world.local->process().signal(SIGSTOP);
  // The kernel's buffers and the queue are full long before 16 MiB. Each message is acknowledged by the remote broker.
  const std::string payload(64 * 1024 - 100, 'x');
  for (int i = 0; i < 256; i++) device.publish("any/bulk", payload, 1);
  CHECK(dropped() > 0);
  world.local->process().signal(SIGCONT);
  const auto local = world.local_listener();
  for (const Deadline deadline = patience(); local->out().count_text("any/after after") == 0;) {
    if (deadline.over()) throw Failure("nothing is copied after the local broker went on");
    device.publish("any/after", "after", 1);
  }
}

TEST_CASE("tap: when the local broker comes back, copying goes on") {
  World world({.relayd = tapped()});
  wait_connected(world);
  auto device = world.join("dev1");
  const size_t mark = world.relay().log().mark();
  world.local->restart();
  world.relay().log().wait_text("local.tap: no connection to the local broker", mark);
  device.publish("any/meanwhile", "kept", 1);
  device.ping();
  wait_connected(world, mark);
  const auto local = world.local_listener();
  device.publish("any/after", "back", 1);
  local->out().wait_text("any/after back");
}
