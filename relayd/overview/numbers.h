// Numbers as the status page and `mqtt-relay top` show them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace relayd::overview {

std::string grouped(uint64_t number);                      // "12,345"
std::string in_bytes(double bytes);                        // "1.5 MiB"
std::string per_second(double rate);                       // "0.25", "12.3", "4,711"
std::string in_seconds(double seconds);                    // "85 µs", "1.2 ms", "3.4 s"
std::string day(int64_t unix_seconds);                     // "2026-11-24", UTC
std::string moment(int64_t unix_seconds);                  // "2026-11-24 09:30:00 UTC"
std::string days_left(int64_t unix_seconds, int64_t now);  // "in 3 days", "today", "5 days ago"

// The quantile `q` (0 to 1) of a Histogram's buckets, in seconds, interpolated as Prometheus's histogram_quantile()
// does: what is above the last bound counts as the last bound. nullopt: there are no observations.
std::optional<double> quantile(std::span<const uint64_t> buckets, double q);

}  // namespace relayd::overview
