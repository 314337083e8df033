// The operator's disconnects that are under way. Each ends when every worker that got the order has said how many
// sessions it ended, or after kPatience. Loop thread only.
//
// There are at most as many as operator's connections (Responder::Limits).
#pragma once

#include <map>
#include <string>

#include "common/units.h"
#include "common/uv.h"
#include "relayd/supervisor/open_feeds.h"

namespace relayd {

class Disconnects {
 public:
  static constexpr common::Milliseconds kPatience{5000};  // a worker's loop turns at once, unless it hangs
  // `outcome` is for the operator; not ok: no session was ended.
  using Done = void (*)(void* owner, uint64_t connection, bool ok, const std::string& outcome);

  Disconnects(uv_loop_t* loop, void* owner, Done done);

  // The request's number, for the workers. Call expect() next, with the number of workers that got it.
  uint32_t begin(uint64_t connection, Whom whom);
  void expect(uint32_t request, size_t workers);
  void answered(uint32_t request, uint64_t sessions);  // by one worker; ignored if it comes too late

 private:
  struct Pending {
    uint64_t connection;
    Whom whom;
    size_t silent = 0;  // workers that have not answered
    uint64_t sessions = 0, deadline = 0;
  };
  void end(uint32_t request);
  void expire();
  void arm();

  uv_loop_t* loop_;
  void* owner_;
  Done done_;
  common::Timer timer_;
  std::map<uint32_t, Pending> pending_;  // in order of deadline
  uint32_t last_ = 0;
};

}  // namespace relayd
