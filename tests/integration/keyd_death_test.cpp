// While keyd is down, sessions continue, and new ones wait a bounded time and get server unavailable; they never become
// local. Once keyd is back, everything works again without intervention.

#include <signal.h>

#include <future>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

size_t local_connections(World& world) { return world.local->log().count_text("New connection from"); }

}  // namespace

TEST_CASE("while keyd is dead, sessions continue, new ones are refused and never local, until keyd is back") {
  World world({.relayd = {{"sign_timeout", "500ms"}}});
  const auto identity = device_identity("p256", 1);
  for (const char* id : {"old", "new-3", "new-5", "again"}) world.give_key(id, identity);
  auto observer = world.direct(device_identity("p256", 99));
  observer.join("observer");
  REQUIRE(observer.subscribe("any/#", 1) == 1);
  auto old = world.device(identity);
  old.join("old");
  // These devices complete their handshakes, and send CONNECT while keyd is gone.
  auto new_3 = world.device(identity), new_5 = world.device(identity), keyless = world.device(identity);

  world.relay().keyd().kill();
  old.publish("any/alive", "still here", 1);
  CHECK(observer.next_message().payload == "still here");
  CHECK(mqtt::connack_code(new_3.connect({.client_id = "new-3"})) == 3);
  CHECK(mqtt::connack_code(new_5.connect({.client_id = "new-5", .level = mqtt::v5})) == 0x88);
  // Without keyd the relay cannot know whether this device has a key.
  CHECK(mqtt::connack_code(keyless.connect({.client_id = "keyless"})) == 3);
  for (auto* device : {&new_3, &new_5, &keyless}) CHECK(device->tls().read_to_end().leftover.empty());
  // A new handshake needs a signature, so it fails, within the time limit.
  auto fresh = TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
  fresh.refused_handshake();
  CHECK(local_connections(world) == 0);
  CHECK(world.remote->connections_of("new-3") + world.remote->connections_of("new-5") == 0);

  world.relay().start_keyd();
  auto again = world.device(identity);
  again.join("again");
  CHECK(world.remote->user_of("again") == identity.name);
  old.publish("any/alive", "all the time", 1);
  CHECK(observer.next_message().payload == "all the time");
}

TEST_CASE(
    "if keyd is back within sign_timeout, a device whose handshake waited gets through, and the others come again") {
  // Ed25519 repeats its signatures: keyd must find its mark in the handshake, and this keyd's, not the former one's.
  const std::string listener_type = GENERATE("p256", "ed25519");
  CAPTURE(listener_type);
  World world({.relayd = {{"sign_timeout", "15s"}}, .listener_type = listener_type});
  const auto identity = device_identity("p256", 1);
  world.give_key("patient", identity);
  auto waiting = world.device(identity);
  world.relay().keyd().kill();
  world.relay().log().wait_text("keyd is not reachable");
  auto connack = std::async(std::launch::async, [&] { return waiting.connect({.client_id = "patient"}); });
  auto handshake = std::async(std::launch::async, [&] { return world.device(identity); });
  world.relay().start_keyd();
  // This device's handshake was with the previous keyd, and proves nothing to this one.
  CHECK(mqtt::connack_code(connack.get()) == 3);
  auto second = handshake.get();
  second.join("patient");
  CHECK(world.remote->user_of("patient") == identity.name);
}

TEST_CASE("while keyd hangs, new devices are refused after sign_timeout and sessions continue") {
  World world({.relayd = {{"sign_timeout", "500ms"}}});
  const auto identity = device_identity("p256", 1);
  for (const char* id : {"old", "new", "again"}) world.give_key(id, identity);
  auto old = world.device(identity);
  old.join("old");
  auto fresh = world.device(identity);
  world.relay().keyd().signal(SIGSTOP);
  CHECK(mqtt::connack_code(fresh.connect({.client_id = "new", .level = mqtt::v5})) == 0x88);
  old.ping();
  CHECK(local_connections(world) == 0);
  world.relay().keyd().signal(SIGCONT);
  auto again = world.device(identity);
  again.join("again");
  CHECK(world.remote->user_of("again") == identity.name);
}

TEST_CASE("devices are served as soon as keyd runs, even if relayd started first") {
  World world({.start = false});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  world.relay().start_relayd();
  world.relay().start_keyd();
  auto device = world.device(identity);
  device.join("thermo");
  CHECK(world.remote->user_of("thermo") == identity.name);
}
