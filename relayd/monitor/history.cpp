#include "relayd/monitor/history.h"

namespace relayd::monitor {

History::Sample History::compare_with(const Sample& now) {
  const std::lock_guard lock(mutex_);
  const auto fits = [&](const Sample& sample) {
    return sample.status && now.at - sample.at >= kLeast && now.at - sample.at <= kMost;
  };
  Sample found = fits(newer_) ? newer_ : fits(older_) ? older_ : Sample{};
  if (!newer_.status || now.at - newer_.at >= kLeast) {
    older_ = std::move(newer_);
    newer_ = now;
  }
  return found;
}

}  // namespace relayd::monitor
