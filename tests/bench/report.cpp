#include "tests/bench/report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

namespace bench {
namespace {

double percentile(const std::vector<float>& sorted, size_t per_mille) {
  return sorted.empty() ? 0
                        : static_cast<double>(sorted[std::min(sorted.size() - 1, sorted.size() * per_mille / 1000)]);
}

// How busy the machine was, which a reader of the figures should know.
double load() {
  double average = 0;
  return getloadavg(&average, 1) == 1 ? average : -1;
}

}  // namespace

Report::Report() : table_(isatty(STDOUT_FILENO) == 1) {
  if (table_)
    std::printf("%-24s %-10s %9s %9s %9s %10s %8s %8s %7s %6s\n", "", "keyd", "p50 us", "p99 us", "max us",
                "per second", "CPU us", "busy", "times", "load");
}

void Report::add(Row& row, const Row* reference) {
  auto& latencies = row.latencies_us;
  std::sort(latencies.begin(), latencies.end());
  const double p50 = percentile(latencies, 500), p99 = percentile(latencies, 990), most = percentile(latencies, 1000);
  const double times = reference ? row.per_second() / reference->per_second() : 1;
  if (table_) {
    std::printf("%-24s %-10s %9.0f %9.0f %9.0f %10.0f %8.0f %8llu %7.2f %6.2f\n", row.what.c_str(), row.subject.c_str(),
                p50, p99, most, row.per_second(), row.cpu_each_us(), static_cast<unsigned long long>(row.busy), times,
                load());
  } else {
    nlohmann::ordered_json line{{"what", row.what},
                                {"keyd", row.subject},
                                {"p50_us", p50},
                                {"p99_us", p99},
                                {"max_us", most},
                                {"per_second", row.per_second()},
                                {"done", row.done},
                                {"busy", row.busy},
                                {"failed", row.failed},
                                {"load", load()},
                                {"cpu_us_each", row.cpu_each_us()}};
    if (reference) line["times"] = times;
    std::cout << line.dump() << std::endl;
  }
  if (row.failed > 0) std::cerr << row.what << ": " << row.failed << " requests failed\n";
}

}  // namespace bench
