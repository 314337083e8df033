// Reads the feeds of workers (handover/feed.h) for a command. Blocks.
//
// A worker talks to the network, so it is not trusted: a line has at most kMaxFeedLine bytes and is an object of JSON,
// and lines, silence and the whole time have bounds. A feed that breaks one is closed, and the others go on. Values are
// the worker's claims; the caller shows them escaped.
#pragma once

#include <poll.h>

#include <chrono>
#include <string>
#include <vector>

#include "relayd/admin/client.h"
#include "relayd/handover/feed.h"

namespace relayd::admin {

class FeedReader {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    uint64_t lines = 4'000'000;            // of each feed
    common::Milliseconds silence{5'000};   // of each feed; 0: it may be silent
    common::Milliseconds at_most{60'000};  // for all of them; 0: no limit
  };
  // Lists end with a line that says so; one that ends before is a problem.
  enum class Kind : uint8_t { list, live };
  enum class Got : uint8_t { line, nothing, over };

  FeedReader(FeedSockets feeds, Kind kind, const Limits& limits);
  FeedReader(FeedSockets feeds, Kind kind) : FeedReader(std::move(feeds), kind, Limits()) {}

  // line: `object` is the next one, of any feed, and from() its worker. nothing: `patience` is over, or a signal came;
  // with a patience of 0, nothing is there now.
  // over: all feeds have ended.
  Got next(Json& object, common::Milliseconds patience);
  const FeedSocket& from() const { return *from_; }
  // For poll(2), of a caller that has more to wait for: what next() waits for.
  void add_to(std::vector<pollfd>& all) const;
  uint64_t sessions() const { return sessions_; }  // of all lists that have ended
  // What went wrong, each in a sentence for the operator; it may hold bytes of a worker.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Source {
    FeedSocket feed;
    std::string text = {};  // received, from `at` on not yet returned
    size_t at = 0;
    uint64_t lines = 0;
    Clock::time_point heard = Clock::now();
  };
  bool take_line(Source& source, Json& object);
  bool take(Source& source, std::string_view line, Json& object);
  void receive(Source& source);
  void fail(Source& source, const std::string& what);
  void close_silent();
  bool wait(common::Milliseconds patience);

  const Kind kind_;
  const Limits limits_;
  const Clock::time_point begun_ = Clock::now();
  std::vector<Source> sources_;
  size_t turn_ = 0;
  const FeedSocket* from_ = nullptr;
  uint64_t sessions_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace relayd::admin
