// Limits one kind of log line to 10 a second, so that a flood of failures is not a flood of log lines. The first line
// of each second is always written; the next line, or take_left_out(), reports how many were suppressed.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

namespace common {

class LogLimit {
 public:
  static constexpr uint32_t kMostPerSecond = 10;

  // nullopt: do not write the line. Otherwise write it; the value is the number of lines suppressed since the last one.
  // `now_ms` is in milliseconds, from any monotonic clock.
  std::optional<uint64_t> admit(uint64_t now_ms) {
    if (now_ms - second_began_ >= 1000) {
      second_began_ = now_ms;
      written_ = 0;
    }
    if (written_ >= kMostPerSecond) {
      left_out_++;
      return std::nullopt;
    }
    written_++;
    const uint64_t left_out = left_out_;
    left_out_ = 0;
    return left_out;
  }

  // How many were suppressed in a second that is over. Call once a second, so that the last ones are not lost.
  uint64_t take_left_out(uint64_t now_ms) { return now_ms - second_began_ < 1000 ? 0 : std::exchange(left_out_, 0); }

 private:
  uint64_t second_began_ = 0, left_out_ = 0;
  uint32_t written_ = 0;
};

}  // namespace common
