// The feeds of one worker (handover/feed.h): what they list, and how many there may be. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "relayd/handover/feed.h"
#include "relayd/session/session.h"
#include "relayd/worker/feed.h"

namespace relayd {

class Feeds {
 public:
  using Sessions = std::unordered_map<uint64_t, std::unique_ptr<Session>>;

  // Both outlive the feeds. `sessions` may change between two turns of the loop.
  Feeds(uv_loop_t* loop, const Sessions& sessions, Traces& traces)
      : loop_(loop), sessions_(sessions), traces_(traces) {}
  Feeds(const Feeds&) = delete;
  Feeds& operator=(const Feeds&) = delete;

  // Begins to write; the feed ends by itself. Over kMaxFeeds, the reader gets an error instead.
  void open(const FeedRequest& request, common::Fd socket);

 private:
  struct Open {
    std::unique_ptr<Feed> feed;
    Follower follower;  // of a trace
    void take(std::string_view line) { feed->add(line); }
  };
  Feed::More lister(const FeedRequest& request) const;
  void tell_sessions(const std::string& client_id, bool greet) const;
  void close(Feed& feed);

  uv_loop_t* loop_;
  const Sessions& sessions_;
  Traces& traces_;
  std::vector<std::unique_ptr<Open>> feeds_;
};

// Whether the whole text matches; * stands for any bytes, also none, and ? for one byte. Time: at most the product of
// both lengths.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace relayd
