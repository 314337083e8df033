// What the numbers of Counters are called: in the operator's status, which the supervisor writes as JSON, and in
// /metrics, which the monitor makes from it.
#pragma once

#include <cstdint>
#include <span>

#include "relayd/worker/scoreboard.h"

namespace relayd {

// One number of Counters as the world sees it.
struct Series {
  const char* name;
  const char* help;
  bool total;         // counts up since the start; otherwise it is how much there is now
  const char* label;  // what tells it from others of the same name; null: nothing
  const char* value;  // of the label
  Counters::Number Counters::*number = nullptr;
  Counters::Number& (*element)(Counters&, size_t) = nullptr;  // without `number`: the nth of an array
  size_t nth = 0;
  const char* meaning = nullptr;  // of the value, for people; null: it speaks for itself

  Counters::Number& in(Counters& counters) const { return number ? counters.*number : element(counters, nth); }
  uint64_t of(const Counters& counters) const {
    return in(const_cast<Counters&>(counters)).load(std::memory_order_relaxed);
  }
};

// All that is shown, those of one name together.
std::span<const Series> all_series();

}  // namespace relayd
