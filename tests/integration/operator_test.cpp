// What an operator asks a running relayd, and what a crashed worker leaves behind.

#include <signal.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/office.h"

using namespace harness;

TEST_CASE("an operator sees the established sessions and the outcome of a reload") {
  Office office(1);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("device", identity);
  auto device = world.device(identity);
  device.join("device");

  const auto status = office.ask({"status"});
  CAPTURE(status.out, status.err);
  REQUIRE(status.status.code == 0);
  const Json shown = Json::parse(status.out);
  CHECK(shown.at("generation") == 1);
  CHECK(shown.at("total").at("connections") == 1);
  CHECK(shown.at("workers").at(0).at("pid") == world.relay().workers().at(0));

  const auto good = office.ask({"reload"});
  CHECK(good.status.code == 0);
  CHECK(good.out == "reloaded generation 2\n");
  world.relay().patch_relayd({{"no_such_setting", 1}});
  const auto bad = office.ask({"reload"});
  CHECK(bad.status.code != 0);
  CHECK(bad.err.find("no_such_setting") != std::string::npos);
  device.publish("any/alive", "still here", 1);
}

TEST_CASE("a device that the operator disconnects gets 0x98, its will is sent, and no other session notices") {
  Office office(2);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("watcher", identity);
  world.give_key("device", identity);
  auto watcher = world.device(identity);
  watcher.join("watcher", mqtt::v5).subscribe("any/will", 1);
  auto device = world.device(identity);
  REQUIRE(mqtt::connack_code(device.connect({.client_id = "device",
                                             .level = mqtt::v5,
                                             .will = mqtt::Will{.topic = "any/will", .payload = "gone"}})) == 0);

  const auto asked = office.ask({"disconnect", "device"});
  CAPTURE(asked.out, asked.err);
  CHECK(asked.status.code == 0);
  CHECK(asked.out == "ended 1 session of \"device\"\n");
  const auto last = device.tls().read_packet();
  CHECK(last.type() == mqtt::Type::disconnect);
  CHECK(static_cast<uint8_t>(last.body.at(0)) == 0x98);  // administrative action
  CHECK(device.tls().read_to_end().leftover.empty());
  CHECK(watcher.next_message().payload == "gone");
  watcher.ping();
}

TEST_CASE("disconnect exits with 1 and says so if no such device is connected") {
  Office office(2);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("device", identity);
  auto device = world.device(identity);
  device.join("device");
  const auto asked = office.ask({"disconnect", "Device"});
  CAPTURE(asked.out, asked.err);
  CHECK(asked.status.code == 1);
  CHECK(asked.err.find("there is no session of \"Device\"") != std::string::npos);
  device.ping();
}

TEST_CASE("disconnect does not wait forever for a hung worker") {
  Office office(1);
  World& world = office.world;
  const auto worker = world.relay().workers().at(0);
  REQUIRE(kill(worker, SIGSTOP) == 0);
  const auto asked = office.ask({"disconnect", "device"});
  REQUIRE(kill(worker, SIGCONT) == 0);
  CAPTURE(asked.out, asked.err);
  CHECK(asked.status.code == 1);
  CHECK(asked.err.find("1 worker did not answer in 5 s") != std::string::npos);
}

TEST_CASE("a worker that crashes reports where") {
  World world({.relayd = {{"workers", 1}}});
  const auto worker = world.relay().workers().at(0);
  const auto mark = world.relay().log().mark();
  REQUIRE(kill(worker, SIGABRT) == 0);
#if HARNESS_PATIENCE_FACTOR == 1  // under a sanitizer its own report replaces this one
  const auto crash =
      world.relay().log().wait_json([](const Json& j) { return j.value("msg", "") == "crashed"; }, "the crash", mark);
  CHECK(crash.at("signal") == "SIGABRT");
  CHECK(crash.at("pid") == worker);
  CHECK(crash.at("stack").size() > 2);
#endif
  CHECK(world.relay().wait_worker_started(0, mark) != worker);
}
