// All devices reconnect at once.

#include <signal.h>

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;

namespace {

constexpr size_t usual = harness::under_sanitizer ? 200 : 1000;
// A process can open 20,000 descriptors where these tests run, and mosquitto needs some for itself.
constexpr size_t many = 9900;

StageOptions crowd(size_t devices) { return {.fleet = {.devices = devices, .messages_per_second = 2000, .window = 2}}; }

// An ample bound for a worker's memory: its own 64 MiB, and 100 KiB for the two handshakes and the session of each
// device.
size_t allowed_memory(size_t devices) {
  return (harness::under_sanitizer ? 50 : 1) * ((size_t{64} << 20) + devices * (size_t{100} << 10));
}

void all_come_back(Stage& stage) {
  stage.fleet().wait_for([](const Figures& f) { return f.disturbed == f.devices; }, "all devices noticed",
                         stage.patience());
}

void check_the_end(Stage& stage) {
  const auto devices = stage.fleet().size();
  stage.finish();
  const auto peak = stage.worker_peak_memory();
  print_figures("memory of a worker at its peak " + std::to_string(peak >> 20) + " MB, " + std::to_string(devices) +
                " devices");
  CHECK(peak < allowed_memory(devices));
}

void after_relayd_died(size_t devices) {
  Stage stage(crowd(devices));
  stage.relay().relayd().kill();
  stage.relay().log().wait_end();
  all_come_back(stage);
  stage.relay().start_relayd();
  check_the_end(stage);
}

void after_the_remote_restarted(size_t devices) {
  Stage stage(crowd(devices));
  auto& remote = stage.world().remote->process();
  remote.signal(SIGTERM);
  remote.wait(stage.patience());
  all_come_back(stage);
  stage.world().remote->restart();
  check_the_end(stage);
}

}  // namespace

TEST_CASE("after relayd is killed, 1,000 devices that return at once are all served, and nothing is lost") {
  after_relayd_died(usual);
}

TEST_CASE("after the remote restarts, 1,000 devices that return at once are all served, and nothing is lost") {
  after_the_remote_restarted(usual);
}

TEST_CASE("after relayd is killed, nearly 10,000 devices that return at once are all served, and nothing is lost",
          "[.][long]") {
  after_relayd_died(many);
}

TEST_CASE("after the remote restarts, nearly 10,000 devices that return at once are all served, and nothing is lost",
          "[.][long]") {
  after_the_remote_restarted(many);
}
