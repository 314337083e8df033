// MQTT libraries by others as devices: the relay carries the messages of each under the device's own identity.

#include <algorithm>
#include <sstream>

#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/mosquitto_client.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr int kMessages = 16;  // neither library honours a Receive Maximum, and mosquitto permits 20

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// QoS 1 and QoS 2 messages may overtake each other; within one QoS their order is kept (MQTT-4.6.0-6).
void check_all_came_in_order(const std::vector<std::string>& received) {
  std::vector<std::string> by_qos[2], expected[2];
  for (const auto& message : received) by_qos[std::stoi(message.substr(sizeof "message")) % 2].push_back(message);
  for (int number = 0; number < kMessages; number++)
    expected[number % 2].push_back("message " + std::to_string(number));
  CHECK(by_qos[0] == expected[0]);
  CHECK(by_qos[1] == expected[1]);
}

// `command`: an interpreter and a script in tests/integration/clients.
void relays_as_itself(const std::vector<std::string>& command, const std::string& version, bool websocket = false) {
  World world({.relayd = websocket ? Json{{"listener", {{"websocket", Json::object()}}}} : Json::object()});
  const Identity identity = device_identity("p256", 1);
  world.give_key("sensor", identity);
  const Endpoint& door = world.relay().endpoint();
  auto argv = command;
  argv[1] = fs::path(MQTT_RELAY_SOURCE_DIR) / "tests/integration/clients" / command[1];
  argv.insert(argv.end(), {door.host, std::to_string(door.port), authorities().root, identity.certificate, identity.key,
                           "sensor", "any/echo", std::to_string(kMessages), version, websocket ? "wss" : "tls"});
  const auto finished = run({.argv = argv, .environment = {"NODE_PATH=/usr/share/nodejs"}});
  INFO(finished.err);
  REQUIRE(finished.status.code == 0);
  check_all_came_in_order(lines_of(finished.out));
  CHECK(world.remote->user_of("sensor") == identity.name);
}

}  // namespace

TEST_CASE("Eclipse Paho sends QoS 1 and 2 through the relay under the name in its certificate") {
  relays_as_itself({"/usr/bin/python3", "paho_client.py"}, GENERATE(std::string("4"), std::string("5")));
}

TEST_CASE("MQTT.js sends QoS 1 and 2 through the relay under the name in its certificate") {
  relays_as_itself({"node", "mqttjs_client.js"}, GENERATE(std::string("4"), std::string("5")));
}

TEST_CASE("websocket: Eclipse Paho sends QoS 1 and 2 through the relay under the name in its certificate") {
  relays_as_itself({"/usr/bin/python3", "paho_client.py"}, GENERATE(std::string("4"), std::string("5")), true);
}

TEST_CASE("websocket: MQTT.js sends QoS 1 and 2 through the relay under the name in its certificate") {
  relays_as_itself({"node", "mqttjs_client.js"}, GENERATE(std::string("4"), std::string("5")), true);
}

TEST_CASE("mosquitto's clients send and receive through the relay under the names in their certificates") {
  World world;
  const Identity reader = device_identity("p256", 1), writer = device_identity("rsa2048", 2);
  world.give_key("reader", reader);
  world.give_key("writer", writer);
  const Endpoint& door = world.relay().endpoint();
  Process subscriber({.argv = mosquitto_client("mosquitto_sub", door, reader, "reader",
                                               {"-t", "any/mosquitto", "-q", "2", "-C", "1", "-W", "30"})});
  world.remote->log().wait_text("Sending SUBACK to reader");
  const auto publish = mosquitto_client("mosquitto_pub", door, writer, "writer",
                                        {"-t", "any/mosquitto", "-q", "2", "-m", "through the relay"});
  CHECK(run({.argv = publish}).status.code == 0);
  CHECK(subscriber.wait().code == 0);
  CHECK(subscriber.out().count_text("through the relay") == 1);
  CHECK(world.remote->user_of("reader") == reader.name);
  CHECK(world.remote->user_of("writer") == writer.name);
}
