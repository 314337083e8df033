// The supervisor's last two answers that a status page was made of, so that the next page can show rates.
//
// Any thread.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

namespace relayd::monitor {

class History {
 public:
  using Clock = std::chrono::steady_clock;
  using Json = nlohmann::json;
  // How old an answer is that a page is compared with. Several viewers share the two.
  static constexpr std::chrono::seconds kLeast{2}, kMost{120};

  struct Sample {
    std::shared_ptr<const Json> status;  // null: there is none
    Clock::time_point at{};
  };

  // The newest earlier answer of the right age; without status, there is none. Then remembers `now`.
  Sample compare_with(const Sample& now);

 private:
  std::mutex mutex_;
  Sample newer_, older_;
};

}  // namespace relayd::monitor
