// What the supervisor knows of its processes at one moment: for the operator's status, and for the monitor's /metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "relayd/handover/series.h"
#include "relayd/worker/scoreboard.h"

namespace relayd {

struct WorkerStatus {
  int worker = 0, generation = 0;
  int pid = 0;             // 0: there is no process now
  const char* state = "";  // "starting", "serving", "retired", "draining", "waiting"
  uint64_t restarts = 0;
  const Counters* counters = nullptr;  // null: there is no process now
};

struct MonitorStatus {
  int pid = 0;             // 0: there is no process now
  const char* state = "";  // "serving", "waiting" (for its port, or to be started again)
  uint64_t restarts = 0;
};

struct Status {
  std::vector<WorkerStatus> workers;
  std::optional<MonitorStatus> monitor;  // if metrics is set
  int generation = 0;
  uint64_t reloads = 0, failed_reloads = 0;
  std::string bind, remote;
  std::vector<trust::Concern> trust;  // what is wrong with the CAs and CRLs in use; nothing harmless
  const Counters* ended = nullptr;    // what processes had counted that have ended (add_ended); may be null
};

// How keyd is, as workers see it: "serving", "degraded" (it can't write its audit, and signs nothing), "away".
const char* keyd_state(const Status& status);

// Of all processes together; a total counts those that have ended.
uint64_t sum(const Status& status, const Series& series);

// Takes over what a process counted that ends, so that totals never go back.
void add_ended(Counters& ended, const Counters& counted);

// One JSON object, no newline: what is in Status, "total" (sums) and for each of "workers" its numbers; a series with a
// label is an object by the label's values.
std::string to_json(const Status& status);

}  // namespace relayd
