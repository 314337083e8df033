// The levels of a worker's log lines: relayd's own, and those of single client ids. `mqtt-relay log-level` changes both
// while relayd runs (relayd/supervisor/log_overrides.h).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/log.h"

namespace relayd {

struct LogLevels {
  using Level = common::log::Level;
  static constexpr size_t kMostClients = 16;
  struct Client {
    std::string id;  // never empty
    Level level = Level::info;
  };

  Level level = Level::info;         // the least that is written, of every session that has no level of its own
  std::vector<Client> clients = {};  // at most kMostClients

  // Of a session with this client id; "": its CONNECT has not come.
  Level of(std::string_view client_id) const {
    const auto found = std::ranges::find(clients, client_id, &Client::id);
    return found == clients.end() ? level : found->level;
  }
  // What the worker's log must take, so that no session's line is lost.
  Level lowest() const {
    Level least = level;
    for (const Client& client : clients) least = std::min(least, client.level);
    return least;
  }
};

}  // namespace relayd
