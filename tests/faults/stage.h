// What every scenario of faults stands on: the whole picture with two workers, a fleet that publishes, a witness at the
// remote, and a verdict at the end, with its figures in one line.
#pragma once

#include "tests/faults/fleet.h"
#include "tests/faults/witness.h"
#include "tests/integration/harness/world.h"

namespace faults {

using harness::Json;

struct StageOptions {
  FleetOptions fleet = {};
  Json keyd = Json::object(), relayd = Json::object();  // merged into the configurations
  // Another world than the usual one.
  std::function<void(harness::WorldOptions&)> world = {};
  // Calls what it is given in the network in which the witness is to meet the remote, if not in this one.
  std::function<void(const std::function<void()>&)> near_remote = {};
};

class Stage {
 public:
  // keyd, relayd with two workers, a remote mosquitto that keeps its state over SIGTERM, a local one; the witness is
  // subscribed, all devices are up, and messages flow. Figures count from here.
  explicit Stage(const StageOptions& options = {});

  harness::World& world() { return world_; }
  harness::Relay& relay() { return world_.relay(); }
  Fleet& fleet() { return fleet_; }
  Witness& witness() { return *witness_; }

  // Which worker has whose session, by relayd's "session up" lines.
  std::map<std::string, int> workers_of_devices();
  // The client ids of the sessions that a worker has.
  std::set<std::string> devices_of(int worker);

  // Of the one that has had the most, in its life.
  size_t worker_peak_memory();

  // Waits until all devices are up, messages flow and, then, nothing is in flight any more; CHECKs that nothing
  // acknowledged was lost, no QoS 2 message doubled, no session missing, no device local, and prints the figures.
  Figures finish();
  // The same without the end-to-end account, after a remote that has lost its memory.
  Figures finish_without_account();
  // Longer than a recovery of the fleet takes on a busy machine: only a failing test waits so long.
  Deadline patience() const;

 private:
  Figures settle();
  harness::TempDir state_;
  harness::World world_;
  std::unique_ptr<Witness> witness_;
  Fleet fleet_;
};

// What these workers hold together; 0 for a test that is not root and may not look.
size_t descriptors_of(const std::vector<pid_t>& workers);

// One line on standard output, "figures: …"; ctest -V and ctest's log show it under the test's name.
void print_figures(const std::string& text);
std::string seconds(milliseconds duration);

}  // namespace faults
