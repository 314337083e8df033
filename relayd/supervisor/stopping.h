// The order in which relayd stops: first the listeners close, then sessions end. A device comes back as soon as its
// session has ended. If a worker still accepted then, it would admit the device only to drop it again.
//
//   serving → closing → ending
//
// Closing ends when no worker accepts any more, or after kPatience: a worker that hangs doesn't hold up the others.
// Loop thread only.
#pragma once

#include <cstddef>

#include "common/units.h"
#include "common/uv.h"

namespace relayd {

class Stopping {
 public:
  enum class Phase { serving, closing, ending };
  static constexpr common::Milliseconds kPatience{1000};
  // Called once, when `ending` begins. `accepting`: the workers that have not confirmed that their listeners are
  // closed.
  using Ending = void (*)(void* owner, size_t accepting);

  Stopping(uv_loop_t* loop, void* owner, Ending ending);

  Phase phase() const { return phase_; }
  // The workers have been told to close their listeners, and this many have not confirmed it.
  void begin(size_t accepting);
  // A worker has confirmed it, or has died: this many have not. Matters while closing only.
  void still_accept(size_t accepting);

 private:
  void move_to(Phase phase);
  void overdue() { move_to(Phase::ending); }

  void* owner_;
  Ending ending_;
  common::Timer patience_;
  Phase phase_ = Phase::serving;
  size_t accepting_ = 0;
};

}  // namespace relayd
