// The basis of every fault scenario: the whole system with two workers, a fleet that publishes, a witness at the
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
  // Changes the usual world.
  std::function<void(harness::WorldOptions&)> world = {};
  // Runs its argument in the network from which the witness must reach the remote, if that is not this one.
  std::function<void(const std::function<void()>&)> near_remote = {};
};

class Stage {
 public:
  // Starts keyd, relayd with two workers, a remote mosquitto that keeps its state across SIGTERM, and a local one. When
  // it returns, the witness has subscribed, all devices are up, and messages flow. The figures count from here.
  explicit Stage(const StageOptions& options = {});

  harness::World& world() { return world_; }
  harness::Relay& relay() { return world_.relay(); }
  Fleet& fleet() { return fleet_; }
  Witness& witness() { return *witness_; }

  // Which worker serves which device, from relayd's "session up" lines.
  std::map<std::string, int> workers_of_devices();
  // The client ids of a worker's sessions.
  std::set<std::string> devices_of(int worker);

  // The highest memory peak of any worker, over its lifetime.
  size_t worker_peak_memory();

  // Waits until all devices are up, messages flow and then none is in flight. CHECKs the account(), and that no device
  // was local.
  Figures finish();
  // The same without the end-to-end account, for a remote that has lost its state.
  Figures finish_without_account();
  // Longer than the fleet takes to recover on a busy machine; only a failing test waits this long.
  Deadline patience() const;

 private:
  void settle();
  harness::TempDir state_;
  harness::World world_;
  std::unique_ptr<Witness> witness_;
  Fleet fleet_;
};

// The account of a fleet whose last message has settled: CHECKs that no acknowledged message was lost, no QoS 2 message
// duplicated, no session missing and no rule of MQTT broken, and prints the figures.
Figures account(Fleet& fleet, Witness& witness, Deadline deadline);

// Descriptors of these workers in total; 0 if the test does not run as root and so cannot count them.
size_t descriptors_of(const std::vector<pid_t>& workers);

// Prints "figures: …" in one line on standard output; ctest -V and ctest's log show it under the test's name.
void print_figures(const std::string& text);
std::string seconds(milliseconds duration);

}  // namespace faults
