// What the load generator can do. Each mode prepares, waits for a line on standard input, works, and prints its result:
// whoever started it can take its own figures just before and just after the work.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/bench/fleet.h"

namespace bench {

struct Options {
  std::string mode, devices_file, tls = "1.3";
  Address relay{}, broker{};
  size_t first = 0, devices = 1, in_flight = 16, passes = 1, window = 1, size = 64, count = 0, mib = 64;
  double rate = 0, seconds = 1;
  bool until_told = false;
};

void run_connect(const Options& options);
void run_hold(const Options& options);
void run_return(const Options& options);
void run_message(const Options& options);
void run_latency(const Options& options);
void run_fanout(const Options& options);
void run_bulk(const Options& options, bool up);

// Prints {"ready": true} and waits for a line; false if there will be none.
bool ready();
void print(const nlohmann::json& result);
nlohmann::json percentiles(std::vector<float>& microseconds);

}  // namespace bench
