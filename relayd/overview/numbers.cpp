#include "relayd/overview/numbers.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "relayd/handover/histogram.h"

namespace relayd::overview {
namespace {

constexpr int64_t kDay = 86'400;
constexpr double kMicro = 1e6;

template <typename... Values>
std::string printed(const char* format, Values... values) {
  std::array<char, 64> text{};
  snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

// Three significant digits below 100, whole and grouped from there on.
std::string short_number(double number) {
  if (number >= 99.95) return grouped(static_cast<uint64_t>(std::llround(number)));
  return printed(number == 0 ? "%.0f" : number < 9.995 ? "%.2f" : "%.1f", number);
}

}  // namespace

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string in_bytes(double bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); unit++) bytes /= 1024;
  return (unit == 0 ? grouped(static_cast<uint64_t>(bytes)) : short_number(bytes)) + " " + kUnits[unit];
}

std::string per_second(double rate) { return short_number(rate); }

std::string in_seconds(double seconds) {
  if (seconds < 0.001) return short_number(seconds * kMicro) + " µs";
  if (seconds < 1) return short_number(seconds * 1000) + " ms";
  return short_number(seconds) + " s";
}

// Without tzset(3), which would read a file.
std::string day(int64_t unix_seconds) {
  const std::chrono::year_month_day date(
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(unix_seconds))));
  return printed("%04d-%02u-%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()));
}

std::string moment(int64_t unix_seconds) {
  const int64_t second = (unix_seconds % kDay + kDay) % kDay;
  return day(unix_seconds) + printed(" %02d:%02d:%02d UTC", static_cast<int>(second / 3600),
                                     static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
}

std::string days_left(int64_t unix_seconds, int64_t now) {
  const int64_t days = (unix_seconds - now) / kDay;
  const uint64_t number = static_cast<uint64_t>(days < 0 ? -days : days);
  if (days == 0) return unix_seconds > now ? "within a day" : "expired today";
  const std::string text = grouped(number) + (number == 1 ? " day" : " days");
  return days > 0 ? "in " + text : text + " ago";
}

std::optional<double> quantile(std::span<const uint64_t> buckets, double q) {
  const uint64_t count = std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
  if (count == 0) return std::nullopt;
  const double wanted = q * static_cast<double>(count);
  double below = 0;
  for (size_t i = 0; i < buckets.size() && i < Histogram::kBounds.size(); i++) {
    const auto here = static_cast<double>(buckets[i]);
    if (here > 0 && below + here >= wanted) {
      const double low = i == 0 ? 0 : static_cast<double>(Histogram::kBounds[i - 1]);
      const double high = static_cast<double>(Histogram::kBounds[i]);
      return (low + (high - low) * (wanted - below) / here) / kMicro;
    }
    below += here;
  }
  return static_cast<double>(Histogram::kBounds.back()) / kMicro;
}

}  // namespace relayd::overview
