// So that a flood of failures is no flood of log lines: of one kind, so many a second, the first one always; the next
// line then says how many were left out.
#pragma once

#include <cstdint>
#include <optional>

namespace common {

class LogLimit {
 public:
  static constexpr uint32_t kMostPerSecond = 10;

  // nullopt: be silent. Otherwise write the line; so many of its kind were left out since the last one.
  // `now_ms`: milliseconds of any clock that does not go back.
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

 private:
  uint64_t second_began_ = 0, left_out_ = 0;
  uint32_t written_ = 0;
};

}  // namespace common
