// Decides when a dead worker is restarted. Pure; one for each worker slot.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>

namespace relayd {

class RestartPolicy {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;
  static constexpr std::chrono::seconds kFirst{1}, kLast{60};
  static constexpr std::chrono::minutes kFirstQuarantine{1}, kLastQuarantine{60};

  RestartPolicy(int max_restarts, Milliseconds restart_window)
      : most_(static_cast<size_t>(max_restarts)), window_(restart_window) {}

  struct Restart {
    Milliseconds delay{};
    bool quarantined = false;
  };
  // A worker that had served is restarted at once; one that had not after 1 s, doubling to 60 s, so that a worker that
  // can't start causes no busy loop. One that died more than max_restarts times in restart_window, or in a row without
  // having served, is quarantined: for 1 min, doubling to 1 h while quarantines follow each other within an hour.
  Restart after_death(bool had_served, Clock::time_point now) {
    while (!deaths_.empty() && now - deaths_.front() > window_) deaths_.pop_front();
    deaths_.push_back(now);
    if (deaths_.size() > most_ + 1) deaths_.pop_front();
    in_a_row_ = had_served ? 0 : in_a_row_ + 1;
    if (deaths_.size() > most_ || in_a_row_ > most_) return {quarantine(now), true};
    if (had_served) {
      next_ = kFirst;
      return {};
    }
    const auto delay = next_;
    next_ = std::min(next_ * 2, kLast);
    return {delay};
  }

  // True if the previous death is too long ago to be related to this one.
  bool starts_a_series() const { return deaths_.size() == 1 && in_a_row_ <= 1; }

 private:
  Milliseconds quarantine(Clock::time_point now) {
    if (now - quarantined_until_ > kLastQuarantine) next_quarantine_ = kFirstQuarantine;
    const auto delay = next_quarantine_;
    next_quarantine_ = std::min(next_quarantine_ * 2, kLastQuarantine);
    quarantined_until_ = now + delay;
    return delay;
  }

  size_t most_;
  Milliseconds window_;
  std::deque<Clock::time_point> deaths_;  // in the window; at most most_ + 1
  size_t in_a_row_ = 0;
  std::chrono::seconds next_ = kFirst;
  std::chrono::minutes next_quarantine_ = kFirstQuarantine;
  Clock::time_point quarantined_until_{};
};

}  // namespace relayd
