// A feed: the way of a worker's answer to an operator's command that is too long for the supervisor, or has no end.
//
// The supervisor makes a pair of stream sockets for each worker. One end goes to the worker, attached to an order; the
// other ends go to the operator's command, attached to the supervisor's answer (SCM_RIGHTS, unix(7)). The worker
// writes lines of JSON, and the supervisor neither waits for them nor parses them. The command trusts no worker: it
// bounds lines, their number and the time, and shows nothing unescaped (relayd/admin/feed_reader.h).
//
// Each line is an object. A list ends with {"end":1,"sessions":N}, N being all sessions of the worker; a worker that
// can't serve the feed writes {"error":"…"} instead of everything else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/units.h"

namespace relayd {

inline constexpr size_t kMaxFeedLine = 4096;  // bytes, newline included
inline constexpr size_t kMaxFeeds = 8;        // of one worker at a time
// A worker ends a feed whose reader takes nothing for this long.
inline constexpr common::Milliseconds kFeedPatience{10'000};

struct FeedRequest {
  // Order::decode() takes them up to the last one.
  enum class What : uint8_t {
    sessions,  // a line for each session whose client id matches `client_id`
    session,   // the same for the session with the number `session`, with all that is known of it
    trace,     // what happens in the sessions of `client_id`, until the reader leaves
  };
  What what = What::sessions;
  // sessions: a pattern, in which * stands for any characters and ? for one byte; empty: all. trace: the client id.
  std::string client_id = {};
  uint64_t session = 0;
  uint32_t limit = 0;   // sessions: at most so many lines; 0: no limit
  bool topics = false;  // trace: topics as well
};

}  // namespace relayd
