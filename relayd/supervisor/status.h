// What the supervisor knows of its workers at one moment: for /metrics and for the operator's `relayd status`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "relayd/worker/scoreboard.h"

namespace relayd {

struct WorkerStatus {
  int worker = 0, generation = 0;
  int pid = 0;             // 0: there is no process now
  const char* state = "";  // "starting", "serving", "retired", "draining", "waiting"
  uint64_t restarts = 0;
  const Counters* counters = nullptr;  // null: there is no process now
};

struct Status {
  std::vector<WorkerStatus> workers;
  int generation = 0;
  uint64_t reloads = 0, failed_reloads = 0;
  std::string bind, remote;
  std::vector<trust::Concern> trust;  // what is wrong with the CAs and CRLs in use; nothing harmless
  const Counters* ended = nullptr;    // what processes had counted that have ended (add_ended); may be null
};

// How keyd is, as workers see it: "serving", "degraded" (it can't write its audit, and signs nothing), "away".
const char* keyd_state(const Status& status);

// One number of Counters as the world sees it.
struct Series {
  const char* name;
  const char* help;
  bool total;         // counts up since the start; otherwise it is how much there is now
  const char* label;  // what tells it from others of the same name; null: nothing
  const char* value;  // of the label
  Counters::Number Counters::*number = nullptr;
  Counters::Number& (*element)(Counters&, size_t) = nullptr;  // without `number`: the nth of an array
  size_t nth = 0;
  const char* meaning = nullptr;  // of the value, for people; null: it speaks for itself

  Counters::Number& in(Counters& counters) const { return number ? counters.*number : element(counters, nth); }
  uint64_t of(const Counters& counters) const {
    return in(const_cast<Counters&>(counters)).load(std::memory_order_relaxed);
  }
};

// All that is shown, those of one name together.
std::span<const Series> all_series();

// Of all processes together; a total counts those that have ended.
uint64_t sum(const Status& status, const Series& series);

// Takes over what a process counted that ends, so that totals never go back.
void add_ended(Counters& ended, const Counters& counted);

// One JSON object, no newline: what is in Status, "total" (sums) and for each of "workers" its numbers; a series with a
// label is an object by the label's values.
std::string to_json(const Status& status);

}  // namespace relayd
