// The supervisor dies or must stop while a fleet publishes.

#include <signal.h>

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;

TEST_CASE("after the supervisor is killed under load, workers exit, a new relayd serves all devices, nothing is lost") {
  Stage stage;
  stage.relay().relayd().kill();
  stage.relay().log().wait_end();  // the workers have exited
  stage.fleet().wait_for([](const Figures& f) { return f.disturbed == f.devices; }, "all devices noticed",
                         stage.patience());
  stage.relay().start_relayd();
  CHECK(stage.finish().seen.losses == stage.fleet().size());
}

TEST_CASE("a drain under load sends 0x8B to 5.0 devices, relayd exits with 0, and nothing is lost") {
  Stage stage;
  stage.relay().relayd().signal(SIGTERM);
  CHECK(stage.relay().relayd().wait(stage.patience()).code == 0);
  stage.fleet().wait_for([](const Figures& f) { return f.disturbed == f.devices; }, "all devices noticed",
                         stage.patience());
  const auto disconnects = stage.fleet().figures().seen.disconnects;
  INFO(stage.fleet().figures().text());
  CHECK(disconnects == std::map<int, size_t>{{0x8b, stage.fleet().size_of_version_5()}});
  stage.relay().start_relayd();
  CHECK(stage.finish().seen.losses == stage.fleet().size());
}
