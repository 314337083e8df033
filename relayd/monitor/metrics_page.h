// Writes Prometheus's text format 0.0.4 or OpenMetrics 1.0: families with their help, and their samples.
//
// The two differ in a counter's family, whose name in OpenMetrics has no "_total", and in "# UNIT" and "# EOF".
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace relayd::monitor {

enum class Format : uint8_t { prometheus, openmetrics };

class MetricsPage {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string>>;
  enum class Type : uint8_t { gauge, counter, histogram };

  explicit MetricsPage(Format format) : format_(format) {}

  // Begins a family. `name` has neither "mqtt_relay_" nor "_total".
  void family(std::string_view name, std::string_view help, Type type);
  void sample(std::integral auto value, Labels labels = {}) {
    line(type_ == Type::counter ? "_total" : "", labels, std::to_string(value));
  }
  // `buckets` as Histogram::buckets; `nanoseconds` is the sum.
  void histogram(std::span<const uint64_t> buckets, uint64_t nanoseconds, std::string_view label,
                 const std::string& value);
  std::string text() &&;

 private:
  void line(std::string_view suffix, Labels labels, std::string_view value);

  const Format format_;
  Type type_{};
  std::string name_, text_;
};

}  // namespace relayd::monitor
