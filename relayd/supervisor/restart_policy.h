// Decides when a dead worker is restarted, and when to give up. Pure; one for each worker slot.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>

namespace relayd {

class RestartPolicy {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;
  static constexpr std::chrono::seconds kFirst{1}, kLast{60};

  RestartPolicy(int max_restarts, Milliseconds restart_window)
      : most_(static_cast<size_t>(max_restarts)), window_(restart_window) {}

  // Returns the delay before a restart: 0 for a worker that had served, otherwise 1 s doubling to 60 s, so that a
  // worker that can't start does not cause a busy loop. nullopt: it died more than max_restarts times in
  // restart_window, or in a row without having served; another restart would hide the fault.
  std::optional<Milliseconds> after_death(bool had_served, Clock::time_point now) {
    while (!deaths_.empty() && now - deaths_.front() > window_) deaths_.pop_front();
    deaths_.push_back(now);
    in_a_row_ = had_served ? 0 : in_a_row_ + 1;
    if (deaths_.size() > most_ || in_a_row_ > most_) return std::nullopt;
    if (had_served) {
      next_ = kFirst;
      return Milliseconds(0);
    }
    const auto delay = next_;
    next_ = std::min(next_ * 2, kLast);
    return delay;
  }

  // True if the previous death is too long ago to be related to this one.
  bool starts_a_series() const { return deaths_.size() == 1 && in_a_row_ <= 1; }

 private:
  size_t most_;
  Milliseconds window_;
  std::deque<Clock::time_point> deaths_;  // in the window; at most most_ + 1
  size_t in_a_row_ = 0;
  std::chrono::seconds next_ = kFirst;
};

}  // namespace relayd
