// The names of the numbers in Counters: in the operator's status, which the supervisor writes as JSON, and in /metrics,
// which the monitor generates from it.
#pragma once

#include <cstdint>
#include <span>

#include "relayd/handover/scoreboard.h"

namespace relayd {

// One number in Counters, with its names.
struct Series {
  const char* name;
  const char* help;
  bool total;         // true: counts up from the start; false: the amount at this moment
  const char* label;  // distinguishes series of the same name; null: there is only one
  const char* value;  // the label's value
  Counters::Number Counters::*number = nullptr;
  Counters::Number& (*element)(Counters&, size_t) = nullptr;  // without `number`: the nth of an array
  size_t nth = 0;
  const char* meaning = nullptr;  // the value in words; null: it needs none

  Counters::Number& in(Counters& counters) const { return number ? counters.*number : element(counters, nth); }
  uint64_t of(const Counters& counters) const {
    return in(const_cast<Counters&>(counters)).load(std::memory_order_relaxed);
  }
};

// One Histogram in Counters, with its names, as above. Its unit is seconds.
struct HistogramSeries {
  const char* name;
  const char* help;
  const char* label;
  const char* value;
  Histogram& (*in)(Counters&);

  const Histogram& of(const Counters& counters) const { return in(const_cast<Counters&>(counters)); }
};

// All series, in display order. Series with the same name are adjacent.
std::span<const Series> all_series();
std::span<const HistogramSeries> all_histograms();

}  // namespace relayd
