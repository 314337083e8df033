// The feeds (handover/feed.h) that the supervisor opens for one command of the operator: it makes the sockets, gives
// one end of each to a worker, and the other ends to the command. It keeps neither.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/fd.h"
#include "relayd/handover/feed.h"

namespace relayd {

struct OpenFeed {
  int worker = 0, generation = 0, pid = 0;
  common::Fd reader;  // the command's end, non-blocking
};

struct OpenFeeds {
  std::vector<OpenFeed> feeds;
  size_t missing = 0;  // workers that could not be asked, for lack of descriptors or because their sockets are full
};

// The sessions that `disconnect` ends.
struct Whom {
  std::string client_id = {};
  uint64_t session = 0;  // 0: all of client_id
};

}  // namespace relayd
