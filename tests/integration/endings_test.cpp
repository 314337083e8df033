// A device's will is sent if the device vanishes, in whatever way, and not if it disconnects.

#include <signal.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

struct Stage {
  World world;
  Identity identity = device_identity("p256", 1);
  Device observer;

  explicit Stage(const Json& relayd = Json::object())
      : world({.relayd = relayd}), observer(world.direct(device_identity("p256", 99))) {
    world.give_key("thermo", identity);
    observer.join("observer");
    observer.subscribe("will/#", 1);
  }

  Device device(int level) {
    auto made = world.device(identity);
    const mqtt::Will will{.topic = "will/p256-1", .payload = "gone", .qos = 1};
    REQUIRE(mqtt::connack_code(made.connect({.client_id = "thermo", .level = level, .will = will})) == 0);
    return made;
  }
};

int any_level() { return GENERATE(mqtt::v31, mqtt::v311, mqtt::v5); }

}  // namespace

TEST_CASE("the will of a device that vanishes is sent") {
  const int level = any_level();
  Stage stage;
  auto device = stage.device(level);
  SECTION("by RST") { device.tls().vanish(); }
  SECTION("by FIN") { device.tls().fin(); }
  SECTION("by close_notify without DISCONNECT") { device.tls().close_notify_and_fin(); }
  SECTION("in the middle of a packet") {
    device.tls().send(mqtt::publish({.topic = "any/t", .payload = std::string(1000, 'x')}).substr(0, 500));
    device.tls().vanish();
  }
  const auto will = stage.observer.next_message();
  CHECK(will.payload == "gone");
}

TEST_CASE("the will of a device that disconnects is not sent") {
  const int level = any_level();
  Stage stage;
  auto device = stage.device(level);
  SECTION("DISCONNECT, then close_notify and FIN") { device.disconnect(); }
  SECTION("DISCONNECT, then RST") {
    device.tls().send(mqtt::disconnect(level));
    CHECK(device.tls().read_to_end().leftover.empty());
    device.tls().vanish();
  }
  stage.world.remote->wait_gone("thermo");
  stage.world.remote->log().wait_text("Received DISCONNECT from thermo");
  stage.observer.ping();
  CHECK(stage.observer.waiting_messages() == 0);
}

TEST_CASE("when the relay is killed, the wills of its devices are sent") {
  Stage stage;
  auto device = stage.device(mqtt::v311);
  stage.world.relay().relayd().kill();
  CHECK(stage.observer.next_message().payload == "gone");
  device.tls().read_to_end();
}
