#include "relayd/supervisor/pauses.h"

#include "common/log.h"

namespace relayd {

std::string changed_pauses(const std::vector<std::string>& changed, bool pause) {
  if (changed.empty()) return pause ? "it was paused already" : "nothing was paused";
  std::string names;
  for (const std::string& name : changed) {
    names.append(names.empty() ? "" : ", ").append(name);
    if (pause)
      common::log::warning("listener_paused",
                           "a listener is paused by the operator: new connections wait, sessions go on",
                           {{"listener", name}});
    else common::log::info("listener_resumed", "a listener accepts connections again", {{"listener", name}});
  }
  return pause ? "paused " + names + ": new connections wait, sessions go on; `mqtt-relay resume` accepts them"
               : "resumed " + names;
}

}  // namespace relayd
