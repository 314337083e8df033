// The listeners that the operator has paused: their new connections wait in the kernel's queue, and their sessions go
// on. By name, so it holds for workers and generations to come; a restart forgets it. Loop thread only.
#pragma once

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "relayd/handover/config.h"

namespace relayd {

class Pauses {
 public:
  bool paused(const std::string& listener) const { return names_.contains(listener); }
  std::vector<std::string> among(const std::vector<Config::Listener>& listeners) const {
    std::vector<std::string> all;
    for (const Config::Listener& listener : listeners)
      if (paused(listener.name)) all.push_back(listener.name);
    return all;
  }

  // Pauses or resumes the listener with this name; "": all of them. Returns those that changed. Throws
  // std::runtime_error for an unknown name.
  std::vector<std::string> change(const std::vector<Config::Listener>& listeners, const std::string& name, bool pause) {
    std::string all;
    bool known = name.empty();
    std::vector<std::string> changed;
    for (const Config::Listener& listener : listeners) {
      all.append(all.empty() ? "" : ", ").append(listener.name);
      known |= listener.name == name;
      if (!name.empty() && listener.name != name) continue;
      if (pause ? names_.insert(listener.name).second : names_.erase(listener.name) > 0)
        changed.push_back(listener.name);
    }
    if (!known) throw std::runtime_error("found the listener \"" + name + "\"; relayd has: " + all);
    return changed;
  }

  // A reload: if every listener of `before` was paused, those that are new in `now` are paused, too.
  void follow(const std::vector<Config::Listener>& before, const std::vector<Config::Listener>& now) {
    const auto is_paused = [&](const Config::Listener& listener) { return paused(listener.name); };
    if (before.empty() || !std::ranges::all_of(before, is_paused)) return;
    for (const Config::Listener& listener : now) names_.insert(listener.name);
  }

 private:
  std::set<std::string> names_;
};

// What the operator reads; logs each change.
std::string changed_pauses(const std::vector<std::string>& changed, bool pause);

}  // namespace relayd
