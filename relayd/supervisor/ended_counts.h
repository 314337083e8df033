// What processes that have ended had counted, so that sums never go back. Loop thread only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "relayd/supervisor/status.h"

namespace relayd {

class EndedCounts {
 public:
  // A worker process has ended; `config` names the counters' listeners.
  void add(const Config& config, const Counters& counters) {
    add_ended(ended_, counters);
    for (size_t i = 0; i < config.listeners.size(); i++)
      accepted_[config.listeners[i].name] += counters.listeners[i].accepted.load(std::memory_order_relaxed);
  }

  // How many lines the supervisor itself has dropped since its start.
  void set_own_dropped(uint64_t dropped) {
    count(ended_.log_dropped, dropped - own_dropped_);
    own_dropped_ = dropped;
  }

  // Forgets listeners that are not among these any more.
  void keep(const std::vector<Config::Listener>& configured) {
    std::erase_if(accepted_, [&](const auto& one) {
      return std::ranges::find(configured, one.first, &Config::Listener::name) == configured.end();
    });
  }

  // The status points into this object.
  void add_to(Status& status) const {
    status.ended = &ended_;
    status.ended_accepted = &accepted_;
  }

 private:
  Counters ended_{};                          // with the supervisor's own dropped lines
  std::map<std::string, uint64_t> accepted_;  // by listener
  uint64_t own_dropped_ = 0;                  // which ended_ already contains
};

}  // namespace relayd
