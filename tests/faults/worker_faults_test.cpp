// Workers are killed while a fleet publishes.

#include <signal.h>

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;

TEST_CASE("a worker killed under load costs its own sessions only, and no acknowledged message") {
  Stage stage;
  const auto its_devices = stage.devices_of(0);
  REQUIRE(!its_devices.empty());
  REQUIRE(its_devices.size() < stage.fleet().size());
  REQUIRE(kill(stage.relay().workers().at(0), SIGKILL) == 0);
  stage.fleet().wait_for([&](const Figures& f) { return f.disturbed >= its_devices.size(); }, "its devices noticed",
                         stage.patience());
  stage.finish();
  CHECK(stage.fleet().disturbed() == its_devices);
}

TEST_CASE("after all workers are killed at once under load, every device returns and no acknowledged message is lost") {
  Stage stage;
  for (const auto pid : stage.relay().workers()) REQUIRE(kill(pid, SIGKILL) == 0);
  stage.fleet().wait_for([](const Figures& f) { return f.disturbed == f.devices; }, "all devices noticed",
                         stage.patience());
  const auto figures = stage.finish();
  CHECK(figures.seen.losses == figures.devices);
  CHECK(stage.relay().relayd().running());
}

TEST_CASE("under load a hung worker is killed and replaced within worker_watchdog, other workers' sessions continue") {
  Stage stage({.relayd = {{"worker_watchdog", "1s"}}});
  const auto its_devices = stage.devices_of(1);
  const auto mark = stage.relay().log().mark();
  REQUIRE(kill(stage.relay().workers().at(1), SIGSTOP) == 0);
  stage.relay().wait_worker_started(1, mark);
  stage.fleet().wait_for([&](const Figures& f) { return f.disturbed >= its_devices.size(); }, "its devices noticed",
                         stage.patience());
  stage.finish();
  CHECK(stage.fleet().disturbed() == its_devices);
}
