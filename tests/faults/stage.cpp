#include "tests/faults/stage.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/proc.h"

namespace faults {
namespace {

// mosquitto's own limits are not under test, and logging every packet would cost more than everything else.
harness::WorldOptions world_options(const StageOptions& options, const harness::TempDir& state) {
  harness::WorldOptions made{.keyd = options.keyd, .relayd = {{"workers", 2}}};
  made.relayd.merge_patch(options.relayd);
  made.remote_more =
      "max_inflight_messages 0\nautosave_interval 0\npersistence true\npersistence_location " + state.path().string() +
      "/\nlog_type none\nlog_type error\nlog_type warning\nlog_type information\nconnection_messages false\n";
  if (options.world) options.world(made);
  return made;
}

// A thread's sockets belong to the network namespace in which the thread started.
std::unique_ptr<Witness> make_witness(const StageOptions& options, const harness::Endpoint& remote) {
  std::unique_ptr<Witness> made;
  const auto make = [&] { made = std::make_unique<Witness>(remote); };
  if (options.near_remote) options.near_remote(make);
  else make();
  return made;
}

// What the fleet went through, without the account.
std::string fortune(const Figures& figures) {
  size_t failures = 0;
  for (const auto& [why, count] : figures.seen.failures) failures += count;
  return "sessions disturbed " + std::to_string(figures.disturbed) + " of " + std::to_string(figures.devices) +
         ", recovered in " + seconds(figures.usual_recovery) + " (median), " + seconds(figures.slowest_recovery) +
         " (max), failed attempts " + std::to_string(failures) + " (" + std::to_string(figures.seen.failed_in_a_row) +
         " in a row), messages sent again " + std::to_string(figures.seen.sent_again);
}

void check_violations(const Figures& figures) {
  for (const auto& violation : figures.seen.violations) FAIL_CHECK(violation);
}

}  // namespace

Stage::Stage(const StageOptions& options)
    : world_(world_options(options, state_)),
      witness_(make_witness(options, world_.remote->endpoint())),
      fleet_(relay(), options.fleet) {
  fleet_.start();
  fleet_.wait_all_up(patience());
  fleet_.wait_progress(fleet_.size() * 4, patience());
  fleet_.mark();
}

Deadline Stage::patience() const {
  return Deadline(std::chrono::seconds(60 + fleet_.size() / 50) * HARNESS_PATIENCE_FACTOR);
}

size_t Stage::worker_peak_memory() {
  size_t most = 0;
  for (const auto pid : relay().workers()) most = std::max(most, harness::peak_memory(pid));
  return most;
}

std::map<std::string, int> Stage::workers_of_devices() {
  std::map<std::string, int> workers;
  for (const auto& line : relay().log().json([](const Json& j) { return j.value("msg", "") == "session up"; }))
    workers[line.at("client_id").get<std::string>()] = line.at("worker").get<int>();
  return workers;
}

std::set<std::string> Stage::devices_of(int worker) {
  std::set<std::string> ids;
  for (const auto& [client_id, its_worker] : workers_of_devices())
    if (its_worker == worker) ids.insert(client_id);
  return ids;
}

void Stage::settle() {
  fleet_.wait_all_up(patience());
  fleet_.wait_progress(fleet_.size(), patience());
  fleet_.stop_publishing_and_settle(patience());
  CHECK(world_.local->log().count_text("New connection from") == 0);
}

Figures Stage::finish() {
  settle();
  return account(fleet_, *witness_, patience());
}

Figures Stage::finish_without_account() {
  settle();
  const auto figures = fleet_.figures();
  check_violations(figures);
  print_figures(fortune(figures));
  return figures;
}

Figures account(Fleet& fleet, Witness& witness, Deadline deadline) {
  const auto figures = fleet.figures();
  check_violations(figures);
  const auto judgement = witness.judge(fleet.ledgers(), deadline);
  print_figures(fortune(figures) + ", acknowledged " + std::to_string(judgement.acknowledged) + ", QoS 1 repeated " +
                std::to_string(judgement.repeated) + ", lost " + std::to_string(judgement.lost) + ", doubled " +
                std::to_string(judgement.doubled));
  INFO(judgement.offenders);
  INFO(figures.text());
  CHECK(judgement.lost == 0);
  CHECK(judgement.doubled == 0);
  CHECK(judgement.unknown == 0);
  CHECK(figures.seen.sessions_missing == 0);
  return figures;
}

size_t descriptors_of(const std::vector<pid_t>& workers) {
  size_t sum = 0;
  for (const auto pid : workers) sum += geteuid() == 0 ? harness::open_descriptors(pid) : 0;
  return sum;
}

void print_figures(const std::string& text) { std::cout << "figures: " << text << std::endl; }

std::string seconds(milliseconds duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", static_cast<double>(duration.count()) / 1000);
  return text;
}

}  // namespace faults
