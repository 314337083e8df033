#include "common/log.h"

#include <unistd.h>

#include <array>
#include <cstdint>

#include "common/json_line.h"

namespace common::log {
namespace {

struct LevelStyle {
  std::string_view name, colour;
};
constexpr std::array<LevelStyle, 4> kStyles{
    {{"debug", "\033[2m"}, {"info", ""}, {"warning", "\033[33m"}, {"error", "\033[31m"}}};

struct {
  std::string_view program = "mqtt-relay";
  Level least = Level::info;
  bool terminal = false;
} g_log;

const LevelStyle& style(Level level) { return kStyles[static_cast<size_t>(level)]; }

std::string json_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
  JsonLine line;
  line.add("time", utc_now()).add("level", style(level).name).add("program", g_log.program).add("msg", message);
  for (const Field& field : fields) std::visit([&](auto value) { line.add(field.key, value); }, field.value);
  return std::move(line).finish();
}

std::string terminal_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
  std::string text = utc_now().substr(11, 12) + " ";
  text.append(g_log.program).append(" ").append(style(level).colour).append(message);
  if (!style(level).colour.empty()) text += "\033[0m";
  for (const Field& field : fields) {
    text.append(" \033[2m").append(field.key).append("=\033[0m");
    if (const auto* number = std::get_if<int64_t>(&field.value)) text += std::to_string(*number);
    else append_json_string(text, std::get<std::string_view>(field.value));
  }
  return text + "\n";
}

}  // namespace

void open(std::string_view program, Level least) {
  g_log.program = program;
  g_log.least = least;
  g_log.terminal = isatty(STDERR_FILENO) == 1;
}

bool parse_level(std::string_view name, Level& level) {
  for (size_t i = 0; i < kStyles.size(); i++) {
    if (kStyles[i].name != name) continue;
    level = static_cast<Level>(i);
    return true;
  }
  return false;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < g_log.least) return;
  const std::string line = g_log.terminal ? terminal_line(level, message, fields) : json_line(level, message, fields);
  // A log that can't be written has nowhere to be reported.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace common::log
