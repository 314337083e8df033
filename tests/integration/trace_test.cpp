// `mqtt-relay trace`: one device's packets, live.
#include <signal.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/office.h"

using namespace harness;

namespace {

struct Tracing {
  Office& office;
  Process process;

  Tracing(Office& in, std::vector<std::string> words)
      : office(in), process(in.world.relay().operator_command(with_config(in, std::move(words)))) {}
  static std::vector<std::string> with_config(Office& office, std::vector<std::string> words) {
    words.insert(words.begin(), "trace");
    words.insert(words.end(), {"--config", office.world.relay().relayd_configuration()});
    return words;
  }
  Json wait(const std::string& key, const std::string& value, size_t mark = 0) {
    return process.out().wait_json([&](const Json& line) { return line.value(key, Json()) == value; }, value, mark);
  }
};

}  // namespace

TEST_CASE("trace shows a device's packets and its next connection, and neither payloads nor topics nor passwords") {
  Office office(2);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-1", identity);
  auto device = world.device(identity);
  device.join("dev-1", mqtt::v5);
  Tracing traced(office, {"dev-1"});
  CHECK(traced.wait("event", "followed").at("state") == "relaying");
  device.subscribe("any/SECRET-TOPIC", 1);
  device.publish("any/SECRET-TOPIC", "SECRET-PAYLOAD", 1);
  device.next_message();
  const Json published = traced.wait("type", "PUBLISH");
  CHECK(published.at("event") == "up");
  CHECK(published.at("qos") == 1);
  CHECK(published.at("id").is_number());
  CHECK(published.at("size") > 30);
  CHECK(traced.wait("type", "SUBACK").at("reason") == 1);
  CHECK(traced.wait("type", "PUBACK").contains("id"));

  size_t mark = traced.process.out().mark();
  device.disconnect();
  CHECK(traced.wait("event", "end", mark).at("why").get<std::string>().find("disconnected") != std::string::npos);
  auto again = world.device(identity);
  mark = traced.process.out().mark();
  REQUIRE(mqtt::connack_code(
              again.connect({.client_id = "dev-1", .username = "dev-1", .password = "SECRET-PASSWORD"})) == 0);
  CHECK(traced.wait("event", "followed", mark).at("state") == "awaiting_connect");
  CHECK(traced.wait("event", "dialing", mark).at("route") == "remote");
  traced.wait("type", "CONNECT", mark);
  CHECK(traced.wait("type", "CONNACK", mark).at("reason") == 0);
  traced.process.signal(SIGINT);
  CHECK(traced.process.wait().code == 0);
  for (const std::string& line : traced.process.out().lines()) CHECK(line.find("SECRET") == std::string::npos);
  again.ping();
}

TEST_CASE("trace shows topics with --topics, and ends after --for") {
  Office office(1);
  World& world = office.world;
  auto device = world.device(device_identity("p256", 1));
  device.join("local-1");
  Tracing traced(office, {"local-1", "--topics", "--for", "2s"});
  traced.wait("event", "followed");
  device.publish("any/topic", "payload", 0);
  CHECK(traced.wait("type", "PUBLISH").at("topic") == "any/topic");
  CHECK(traced.process.wait().code == 0);
}

TEST_CASE("trace of a device that a ninth command asks for says that a worker has no room, and exits with 1") {
  Office office(1);
  World& world = office.world;
  auto device = world.device(device_identity("p256", 1));
  device.join("local-1");
  std::vector<std::unique_ptr<Tracing>> eight;
  for (int i = 0; i < 8; i++) {
    eight.push_back(std::make_unique<Tracing>(office, std::vector<std::string>{"local-1"}));
    eight.back()->wait("event", "followed");
  }
  const auto ninth = office.ask({"trace", "local-1", "--for", "1m"});
  CAPTURE(ninth.err);
  CHECK(ninth.status.code == 1);
  CHECK(ninth.err.find("8 such commands ask this worker already") != std::string::npos);
  eight.clear();
  device.ping();
}
