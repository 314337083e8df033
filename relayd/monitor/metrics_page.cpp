#include "relayd/monitor/metrics_page.h"

#include <array>

#include "relayd/handover/histogram.h"

namespace relayd::monitor {
namespace {

constexpr uint64_t kMicro = 1'000'000, kNano = 1'000'000'000;

// Label values are our own words, or names and addresses from the configuration, which may contain any byte.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

// A decimal fraction without superfluous zeros: "0.00025", and "1.0", as OpenMetrics wants a bound to be written.
std::string decimal(uint64_t value, uint64_t unit) {
  std::string fraction = std::to_string(unit + value % unit).substr(1);
  fraction.resize(fraction.find_last_not_of('0') == fraction.npos ? 1 : fraction.find_last_not_of('0') + 1);
  return std::to_string(value / unit) + "." + fraction;
}

const char* name_of(MetricsPage::Type type) {
  constexpr std::array kNames{"gauge", "counter", "histogram"};
  return kNames[static_cast<size_t>(type)];
}

}  // namespace

void MetricsPage::family(std::string_view name, std::string_view help, Type type) {
  type_ = type;
  name_ = "mqtt_relay_" + std::string(name);
  const bool total = type == Type::counter && format_ == Format::prometheus;
  const std::string family = name_ + (total ? "_total" : "");
  text_.append("# HELP ").append(family).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(family).append(" ").append(name_of(type)).append("\n");
  if (format_ == Format::prometheus) return;
  for (const std::string_view unit : {"seconds", "bytes"})
    if (name.ends_with(unit)) text_.append("# UNIT ").append(family).append(" ").append(unit).append("\n");
}

void MetricsPage::line(std::string_view suffix, Labels labels, std::string_view value) {
  text_.append(name_).append(suffix);
  char before = '{';
  for (const auto& [label, text] : labels) {
    ((text_ += before) += label).append("=\"").append(escaped(text)).append("\"");
    before = ',';
  }
  if (labels.size() > 0) text_ += '}';
  text_.append(" ").append(value).append("\n");
}

void MetricsPage::histogram(std::span<const uint64_t> buckets, uint64_t nanoseconds, std::string_view label,
                            const std::string& value) {
  uint64_t count = 0;
  for (size_t i = 0; i < buckets.size(); i++) {
    count += buckets[i];
    const std::string bound = i < Histogram::kBounds.size() ? decimal(Histogram::kBounds[i], kMicro) : "+Inf";
    line("_bucket", {{label, value}, {"le", bound}}, std::to_string(count));
  }
  line("_sum", {{label, value}}, decimal(nanoseconds, kNano));
  line("_count", {{label, value}}, std::to_string(count));
}

std::string MetricsPage::text() && {
  if (format_ == Format::openmetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace relayd::monitor
