#include "relayd/supervisor/stopping.h"

namespace relayd {

Stopping::Stopping(uv_loop_t* loop, void* owner, Ending ending)
    : owner_(owner), ending_(ending), patience_(loop, this, common::call<&Stopping::overdue>) {}

void Stopping::begin(size_t accepting) {
  if (phase_ != Phase::serving) return;
  move_to(Phase::closing);
  still_accept(accepting);
}

void Stopping::still_accept(size_t accepting) {
  if (phase_ != Phase::closing) return;
  accepting_ = accepting;
  if (accepting_ == 0) move_to(Phase::ending);
}

void Stopping::move_to(Phase phase) {
  phase_ = phase;
  if (phase_ == Phase::closing) return patience_.start(kPatience);
  patience_.stop();
  ending_(owner_, accepting_);
}

}  // namespace relayd
