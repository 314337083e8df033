// What the supervisor knows of its processes at one moment: for the operator's status, and for the monitor's /metrics.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/trust/concern.h"
#include "common/trust/expiry.h"
#include "relayd/handover/config.h"
#include "relayd/handover/scoreboard.h"
#include "relayd/handover/series.h"

namespace relayd {

struct WorkerStatus {
  int worker = 0, generation = 0;
  int pid = 0;             // 0: there is no process now
  const char* state = "";  // WorkerSlot::State
  uint64_t restarts = 0;
  const Counters* counters = nullptr;  // null: there is no process now
  const Config* config = nullptr;      // its generation's, which names the counters' listeners
};

struct ListenerStatus {
  std::string name, bind;
};

struct ConnectorStatus {
  int generation = 0;
  int pid = 0;             // 0: there is no process now
  const char* state = "";  // "starting", "serving", "ending", "waiting" (to be started again)
  uint64_t restarts = 0;
};

struct MonitorStatus {
  int pid = 0;             // 0: there is no process now
  const char* state = "";  // "serving", "waiting" (for its port, or to be started again)
  uint64_t restarts = 0;
};

struct Status {
  std::vector<WorkerStatus> workers;
  std::vector<ConnectorStatus> connectors;  // one for each generation
  std::optional<MonitorStatus> monitor;     // if metrics is set
  int generation = 0;
  uint64_t reloads = 0, failed_reloads = 0;
  std::string bind, remote;
  std::vector<std::string> brokers;                                 // addresses_of() the newest generation's
  std::vector<ListenerStatus> listeners;                            // of the newest generation
  const std::map<std::string, uint64_t>* ended_accepted = nullptr;  // connections that ended processes accepted, by
                                                                    // listener; may be null
  std::vector<std::string> paused = {};                             // listeners
  std::vector<trust::Concern> trust;    // what is wrong with the CAs and CRLs in use, if peers are refused for it
  std::vector<trust::Expiry> expiries;  // of what is in use: at most trust::Expiries::kMost
  const Counters* ended = nullptr;      // the totals of processes that have ended (add_ended); may be null
};

// "a.example", or of several "a.example:8883, b.example:8883".
std::string names_of(const std::vector<Config::Broker>& brokers);

// Of each, "a.example:8883".
std::vector<std::string> addresses_of(const std::vector<Config::Broker>& brokers);

// keyd as the workers see it. degraded: it can't write its audit, so it signs nothing. without_notary: its notary does
// not answer, so no device's key signs.
enum class KeydState : uint8_t { serving, degraded, without_notary, away };
KeydState keyd_state(const Status& status);
const char* name(KeydState state);  // in words

// The sum over all processes; a total includes those that have ended.
uint64_t sum(const Status& status, const Series& series);

// Adds the totals of a process that ends, so that sums never go back.
void add_ended(Counters& ended, const Counters& counted);

// For systemctl status: "STATUS=2 workers, 7 connections, generation 1". `connections`: of all generations.
std::string service_status(const Status& status, uint64_t connections, std::string_view waits_for);

// One JSON object without a newline: the members of Status, with each listener's connections, the sums as "total", and
// the numbers of each of "workers". A series that has a label is an object whose keys are the label's values.
// "histograms" has each HistogramSeries' buckets (observations in each, not cumulative) and their sum in nanoseconds.
std::string to_json(const Status& status);

}  // namespace relayd
