// A worker that writes wrong numbers into the memory that it shares with the supervisor.

#include <fcntl.h>
#include <sys/stat.h>

#include "relayd/handover/plan.h"
#include "relayd/handover/scoreboard.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/world.h"

using harness::Device, harness::World;

TEST_CASE("a retired worker that lies about its connections keeps no more than its own share of max_connections",
          "[root]") {
  NEEDS_ROOT();  // to write in the worker's place
  World world({.relayd = {{"listener", {{"max_connections", 200}}}, {"workers", 2}}});
  auto& relay = world.relay();
  std::vector<Device> sessions;  // one for each worker, so that neither exits
  const auto liar = relay.workers().at(0);
  const common::Fd memory(open(
      ("/proc/" + std::to_string(liar) + "/fd/" + std::to_string(relayd::kScoreboardFd)).c_str(), O_RDWR | O_CLOEXEC));
  const relayd::Scoreboard scoreboard(memory.get());
  while (scoreboard->connections == 0) sessions.push_back(world.join("old-" + std::to_string(sessions.size())));
  CHECK(relay.reload().value("msg", "") == "relayd reloaded");
  scoreboard->listeners[0].connections = uint64_t{1} << 40;
  const auto mark = relay.log().mark();
  CHECK(relay.reload().value("msg", "") == "relayd reloaded");  // divides max_connections anew
  world.join("new").ping();
  CHECK(relay.log().count_text("max_connections", mark) == 0);
}

TEST_CASE("no worker can write into the table of another worker's bans", "[root]") {
  NEEDS_ROOT();  // to look at the workers' descriptors
  World world({.relayd = {{"listener", {{"flapping_detect", harness::Json::object()}}}, {"workers", 2}}});
  const auto table_of = [&](size_t worker) {
    struct stat info {};
    const auto path = "/proc/" + std::to_string(world.relay().workers().at(worker)) + "/fd/";
    REQUIRE(stat((path + std::to_string(relayd::kFirstListenerFd + 1)).c_str(), &info) == 0);
    return info.st_ino;
  };
  const auto first = table_of(0);
  CHECK(first != table_of(1));
  CHECK(world.relay().reload().value("msg", "") == "relayd reloaded");
  CHECK(table_of(0) == first);
}
