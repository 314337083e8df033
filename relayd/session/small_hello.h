// Whether the remote broker gets small ClientHellos (tls::Hello).
//
// All addresses are assumed to lead to one broker over one path: if a large ClientHello went unanswered where a small
// one was answered, all addresses get small ones for kFor. One thread.
#pragma once

#include <cstdint>

namespace relayd {

class SmallHello {
 public:
  static constexpr uint64_t kFor = 3'600'000;  // milliseconds

  void want(uint64_t now) { until_ = now + kFor; }
  bool wanted(uint64_t now) const { return until_ > now; }

 private:
  uint64_t until_ = 0;
};

}  // namespace relayd
