// How long a test waits for something that should happen at once. No test sleeps: every wait is for an event and has a
// deadline, which only a failing test reaches.
#pragma once

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

// The build sets a higher factor for sanitizers.
#ifndef HARNESS_PATIENCE_FACTOR
#define HARNESS_PATIENCE_FACTOR 1
#endif

namespace harness {

// Sanitizers keep freed memory and map terabytes of shadow memory, so memory measured under them is not the product's.
inline constexpr bool under_sanitizer = HARNESS_PATIENCE_FACTOR > 1;

using Clock = std::chrono::steady_clock;

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now) : at_(Clock::now() + from_now) {}

  Clock::time_point at() const { return at_; }
  bool over() const { return Clock::now() >= at_; }
  // For poll(2): milliseconds left, rounded up.
  int poll_timeout() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now());
    return static_cast<int>(std::max<int64_t>(0, left.count()));
  }

 private:
  Clock::time_point at_;
};

// The default of every wait.
inline Deadline patience() { return Deadline(std::chrono::seconds(20) * HARNESS_PATIENCE_FACTOR); }

// Thrown when something did not arrive before its deadline, or arrived in the wrong shape.
class Failure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A Failure with the text of errno.
[[noreturn]] void fail_errno(const std::string& what);

}  // namespace harness
