// Asks the running relayd through its control socket (relayd/supervisor/control.h). Blocks.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/operator/command_failed.h"
#include "common/units.h"

namespace relayd::admin {

using Json = nlohmann::ordered_json;

// No relayd answers there, or this user may not ask it.
struct Unavailable : common::CommandFailed {
  explicit Unavailable(const std::string& what) : CommandFailed(what, common::kExitUnavailable) {}
};

// The answer to `request`. Throws Unavailable naming the path, the cause and the remedy; std::runtime_error with
// relayd's own words if it refuses.
Json ask(const std::string& socket, const Json& request, common::Milliseconds patience);

// One worker's feed (relayd/handover/feed.h).
struct FeedSocket {
  int worker = 0, generation = 0, pid = 0;
  common::Fd socket = {};
};
struct FeedSockets {
  std::vector<FeedSocket> feeds;
  size_t missing = 0;  // workers that relayd could not ask
};
// The same for a request that is answered with feeds. Raises this process's limit of descriptors as far as it may.
FeedSockets ask_for_feeds(const std::string& socket, const Json& request, common::Milliseconds patience);

}  // namespace relayd::admin
