// One feed (handover/feed.h) at the worker's side: a socket on which lines are written without ever waiting.
//
// A list is made while it is written, a piece at a time, and no faster than the reader takes it. Lines of what happens
// now wait in a buffer of kMostWaiting; what finds no room is dropped and counted, and the reader is told. A reader
// that takes nothing for kFeedPatience, or that leaves, ends the feed. Writing comes after all other work of a turn
// (common::Poll::set_patient). Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/fd.h"
#include "common/poll.h"
#include "common/uv.h"
#include "relayd/handover/feed.h"

namespace relayd {

class Feed {
 public:
  static constexpr size_t kMostWaiting = 128 * 1024;  // bytes
  // Appends the next lines of a list, of a few hundred sessions at most; false: these were the last ones.
  using More = std::function<bool(std::string& lines)>;
  // The feed has ended: destroy it. It may be destroyed inside the call.
  using Ended = void (*)(void* owner, Feed& feed);

  // `socket`: non-blocking. Without `more`, the lines come from add().
  Feed(uv_loop_t* loop, common::Fd socket, More more, void* owner, Ended ended,
       common::Milliseconds patience = kFeedPatience);
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // Writes the line later. `line` ends with a newline; one longer than kMaxFeedLine counts as dropped.
  void add(std::string_view line);

 private:
  void watch();
  void on_ready(int events);
  bool reader_left();
  void say_dropped();
  bool send();
  void give_up() { ended_(owner_, *this); }

  const common::Fd socket_;
  More more_;  // null: a list has no more lines, or this is none
  const bool is_list_;
  void* const owner_;
  const Ended ended_;
  std::string waiting_;
  uint64_t dropped_ = 0;
  const common::Milliseconds most_patience_;
  common::Timer patience_;
  common::Poll poll_;
};

}  // namespace relayd
