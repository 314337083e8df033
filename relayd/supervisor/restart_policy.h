// When a dead worker is started again. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace relayd {

class RestartPolicy {
 public:
  static constexpr std::chrono::seconds kFirst{1}, kLast{60};

  // How long to wait: not at all for a worker that had served, else 1 s doubling to 60 s, so that a worker that can't
  // start does not turn into a busy loop.
  std::chrono::milliseconds delay_after_death(bool had_served) {
    if (had_served) {
      next_ = kFirst;
      return std::chrono::milliseconds(0);
    }
    const auto delay = next_;
    next_ = std::min(next_ * 2, kLast);
    return delay;
  }

 private:
  std::chrono::seconds next_ = kFirst;
};

}  // namespace relayd
