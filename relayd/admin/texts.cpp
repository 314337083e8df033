#include "relayd/admin/texts.h"

#include <cstdio>
#include <ctime>

#include "common/operator/terminal.h"

namespace relayd::admin {

std::string in_units(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); unit++) value /= 1024;
  char text[32];
  snprintf(text, sizeof text, unit > 0 && value < 10 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return text;
}

std::string age(uint64_t seconds) {
  const auto text = [](uint64_t number, const char* unit) { return std::to_string(number) + unit; };
  if (seconds < 60) return text(seconds, "s");
  if (seconds < 3600) return text(seconds / 60, "m");
  if (seconds < 86400) return text(seconds / 3600, "h ") + text(seconds / 60 % 60, "m");
  return text(seconds / 86400, "d ") + text(seconds / 3600 % 24, "h");
}

std::string time_text(int64_t unix_seconds) {
  const time_t time = unix_seconds;
  tm parts{};
  char text[64];
  if (!gmtime_r(&time, &parts) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return "?";
  return text;
}

std::string shortened(std::string shown) {
  constexpr size_t kMost = 40;
  if (common::width_of(shown) <= kMost) return shown;
  size_t end = 0;
  for (size_t characters = 0; characters < kMost; characters++)  // visible() returns UTF-8
    while (++end < shown.size() && (static_cast<uint8_t>(shown[end]) & 0xc0) == 0x80) {
    }
  return shown.substr(0, end) + "…";
}

}  // namespace relayd::admin
