// The connector, which makes the workers' connections: its death, and its hanging.

#include <signal.h>

#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A device that has sent CONNECT and has no answer yet.
Device waiting(World& world, const std::string& id) {
  const auto identity = device_identity("p256", 1);
  world.give_key(id, identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = id}));
  return device;
}

pid_t wait_successor(World& world, size_t mark) {
  return world.relay()
      .log()
      .wait_json([](const Json& j) { return j.value("msg", "") == "connector started"; }, "\"connector started\"", mark)
      .at("pid")
      .get<pid_t>();
}

std::string threads_of(pid_t pid) {
  const auto status = read_file(fs::path("/proc") / std::to_string(pid) / "status");
  return status.substr(status.find("Threads:"), status.find('\n', status.find("Threads:")) - status.find("Threads:"));
}

}  // namespace

TEST_CASE("a connector killed by SIGKILL is replaced: sessions go on, and devices that come meanwhile are served") {
  World world({.relayd = {{"workers", 2}}});
  std::vector<Device> sessions;
  for (int i = 0; i < 4; i++) sessions.push_back(world.join("session-" + std::to_string(i)));
  for (int round = 0; round < 3; round++) {
    CAPTURE(round);
    const pid_t connector = world.relay().connector();
    const auto mark = world.relay().log().mark();
    REQUIRE(kill(connector, SIGSTOP) == 0);
    std::vector<Device> newcomers;
    for (int i = 0; i < 8; i++) newcomers.push_back(waiting(world, "new-" + std::to_string(i)));
    for (auto& session : sessions) session.ping();
    REQUIRE(kill(connector, SIGKILL) == 0);
    for (auto& device : newcomers) {
      CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
      device.ping();
    }
    CHECK(wait_successor(world, mark) != connector);
    for (auto& session : sessions) session.ping();
    world.join("after-" + std::to_string(round)).ping();
  }
  CHECK(world.relay().log().count_text("worker died") == 0);
  CHECK(world.relay().workers().size() == 2);
}

TEST_CASE("while the connector hangs, a device is told that the server is unavailable, others go on") {
  World world({.relayd = {{"remote", {{"connect_timeout", "1s"}}}, {"worker_watchdog", "60s"}}});
  auto session = world.join("session");
  const pid_t connector = world.relay().connector();
  REQUIRE(kill(connector, SIGSTOP) == 0);
  auto refused = waiting(world, "refused");
  CHECK(mqtt::connack_code(refused.tls().read_packet()) == 3);
  session.ping();
  REQUIRE(kill(connector, SIGCONT) == 0);
  world.join("served").ping();
}

TEST_CASE("a connector that hangs is killed after worker_watchdog, and its successor serves who has waited") {
  World world({.relayd = {{"worker_watchdog", "1s"}, {"remote", {{"connect_timeout", "60s"}}}}});
  auto session = world.join("session");
  const auto mark = world.relay().log().mark();
  REQUIRE(kill(world.relay().connector(), SIGSTOP) == 0);
  auto device = waiting(world, "device");
  world.relay().log().wait_text("connector hangs", mark);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
  session.ping();
}

TEST_CASE("a worker that is replaced has one connection to keyd, under its own number") {
  World world({.relayd = {{"workers", 2}}});
  world.join("one").ping();
  const auto mark = world.relay().audit().mark();
  const auto log = world.relay().log().mark();
  REQUIRE(kill(world.relay().workers().at(1), SIGKILL) == 0);
  world.relay().wait_worker_started(1, log);
  const auto line = world.relay().audit().wait_json([](const Json& j) { return j.value("event", "") == "connect"; },
                                                    "the successor's connection", mark);
  CHECK(line.at("worker") == 1);
  CHECK(line.at("result") == "ok");
  CHECK(line.at("peer_pid") == world.relay().connector());
}

TEST_CASE("neither a worker nor the supervisor resolves names: only the connector has threads for it") {
  NEEDS_NO_SANITIZER();
  World world;
  world.join("one").ping();
  CHECK(threads_of(world.relay().workers().at(0)) == "Threads:\t1");
  CHECK(threads_of(world.relay().relayd().pid()) == "Threads:\t1");
  CHECK(threads_of(world.relay().connector()) == "Threads:\t5");
}
