// The TLS libraries of microcontrollers, with the buffer sizes used there, through the relay to a real mosquitto.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/mcu_device.h"
#include "tests/integration/harness/world.h"

using namespace harness;

TEST_CASE("a BearSSL or mbedTLS device with a small buffer receives a burst of messages and a large one") {
  const auto stack = GENERATE(McuStack::bearssl, McuStack::mbedtls);
  const size_t buffer = GENERATE(2048, 4096);
  World world;
  const auto identity = device_identity("p256", 1), other = device_identity("p256", 2);
  world.give_key("mcu", identity);
  const auto device = mcu_device(stack, buffer, world.relay().endpoint(), identity, world.relay().options().listener);
  device->send(mqtt::connect({.client_id = "mcu"}) + mqtt::subscribe(1, "any/#", 0));
  CHECK(device->read(9) == connack_accepted + std::string("\x90\x03\x00\x01\x00", 5));
  CHECK(world.remote->user_of("mcu") == identity.name);

  std::string all;
  for (const size_t payload : std::vector<size_t>(200, 300))
    all += mqtt::publish({.topic = "any/x", .payload = std::string(payload, 'y')});
  all += mqtt::publish({.topic = "any/x", .payload = std::string(20000, 'z')});
  auto publisher = world.direct(other);
  publisher.join("publisher");
  publisher.tls().send(all);
  CHECK(device->read(all.size()) == all);
}
