// Whether the remote broker gets small ClientHellos (tls::Hello).
//
// All addresses are assumed to lead to one broker over one path. They get small ones for kFor if a large ClientHello
// went unanswered where a small one was answered, and for kPredicted if the broker took no key from a large one: to
// make and send the large key costs a twentieth of a connection (measured). The next large one finds out whether the
// broker has learnt the hybrid; one that prefers it can ask for its key at any time. One thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace relayd {

class SmallHello {
 public:
  static constexpr uint64_t kFor = 3'600'000, kPredicted = 60'000;  // milliseconds

  void want(uint64_t now, uint64_t how_long = kFor) { until_ = std::max(until_, now + how_long); }
  bool wanted(uint64_t now) const { return until_ > now; }

 private:
  uint64_t until_ = 0;
};

}  // namespace relayd
