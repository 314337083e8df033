// What `mqtt-relay top` shows at one moment, without a place on a screen. Pure.
//
// Texts may come from certificates, from paths and from devices, unescaped. top_layout.h escapes them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relayd/admin/device_rates.h"
#include "relayd/overview/overview.h"

namespace relayd::admin {

struct TopWorker {
  uint64_t worker = 0, generation = 0;
  std::string state;
  uint64_t sessions = 0, connections = 0, memory = 0;  // memory: bytes
  uint64_t waits = 0;                                  // handshakes that wait for keyd
  uint64_t restarts = 0;
};

// A number of the whole relay; the headlines are made of these.
struct TopRate {
  const char* name;
  std::optional<double> rate;  // a second
};

// Made of a status of relayd, and of the one before it.
struct TopModel {
  std::string version, bind, remote;
  std::string why_not_ready;  // "": it is
  int64_t clock = 0;          // unix seconds
  double seconds = 0;         // that the rates are of; 0: there are none yet
  std::vector<std::string> concerns;
  std::vector<overview::Headline> headlines;
  uint64_t sessions = 0, connections = 0;
  std::vector<TopRate> rates;
  std::vector<TopWorker> workers;
  std::vector<overview::Timing> keyd, timings;
  std::vector<overview::Refusal> refusals;  // by how many a second, then by how many
};

// Throws nlohmann's exceptions if `view` is not made of a relayd's statuses.
TopModel top_model(const overview::View& view);

// What `top` has seen by now.
struct TopSight {
  TopModel model;
  std::string away;                        // why relayd doesn't answer; "": it does
  int64_t away_since = 0;                  // unix seconds
  std::vector<std::string> list_problems;  // of the last list of sessions
  std::vector<DeviceSession> devices;      // the first ones
  uint64_t all_sessions = 0, listed = 0;   // there are, and of these were compared
  uint64_t list_seconds = 0;               // from list to list
};

// A line for a pipe, with ASCII characters only.
std::string top_line(const TopSight& sight);

}  // namespace relayd::admin
