// The figures of a benchmark: a table for a terminal, JSON lines for a program.
#pragma once

#include <string>
#include <vector>

namespace bench {

struct Row {
  std::string what, subject;
  std::vector<float> latencies_us{};  // of the first process
  uint64_t done = 0, busy = 0, failed = 0;
  double seconds = 0, cpu_us = 0;  // cpu_us: of keyd

  double per_second() const { return static_cast<double>(done) / seconds; }
  double cpu_each_us() const { return cpu_us / static_cast<double>(done); }
};

class Report {
 public:
  Report();
  // The row's rate is also shown as a multiple of the rate of `reference`, if given. Sorts the row's latencies.
  void add(Row& row, const Row* reference);

 private:
  const bool table_;
};

}  // namespace bench
