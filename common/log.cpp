#include "common/log.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <mutex>

#include "common/json_line.h"
#include "common/output.h"

namespace common::log {
namespace {

constexpr size_t kMostWaiting = 256 * 1024;               // bytes
constexpr size_t kMostMessage = 4096, kMostField = 2048;  // bytes, once escaped
constexpr int kLookMs = 10, kLooksAtTheEnd = 50;

constexpr std::string_view kColours[] = {"\033[2m", "", "\033[33m", "\033[31m"};

struct {
  std::string_view program = "mqtt-relay";
  Level least = Level::info;
  bool text = false, coloured = false, opened = false;
  Output output;
  std::deque<std::string> waiting;  // whole lines, except the first, which may be partly written
  size_t waiting_bytes = 0;
  uint64_t dropped = 0, unreported = 0;  // lines dropped in all; those not yet reported in the log
} g_log;
std::mutex g_mutex;  // guards it, once there are threads

std::string text_line(Level level, std::string_view message, Fields fields) {
  const auto nth = static_cast<size_t>(level);
  const auto paint = [](std::string_view code) { return g_log.coloured ? code : ""; };
  std::string text = utc_now().append(" ").append(g_log.program).append(" ").append(paint(kColours[nth]));
  append_shown(text.append(kLevelNames[nth]).append(": "), message, kMostMessage);
  for (const Field& field : fields) {
    text.append(paint("\033[0;2m")).append(" ").append(field.key).append("=").append(paint("\033[0m"));
    if (const auto* number = std::get_if<int64_t>(&field.value)) text += std::to_string(*number);
    else append_json_string(text, std::get<std::string_view>(field.value), kMostField);
  }
  return text.append(paint("\033[0m")).append("\n");
}

std::string line_of(Level level, std::string_view event, std::string_view message, Fields fields) {
  if (g_log.text) return text_line(level, message, fields);
  JsonLine line;
  line.add("time", utc_now()).add("level", kLevelNames[static_cast<size_t>(level)]).add("program", g_log.program);
  line.add("event", event).add("msg", message, kMostMessage);
  for (const Field& field : fields) {
    if (const auto* number = std::get_if<int64_t>(&field.value)) line.add(field.key, *number);
    else line.add(field.key, std::get<std::string_view>(field.value), kMostField);
  }
  return std::move(line).finish();
}

void wait_for_room(std::string line) {
  g_log.waiting_bytes += line.size();
  g_log.waiting.push_back(std::move(line));
}

// Call before queueing a line that was logged after the dropped ones.
void report_dropped() {
  if (g_log.unreported == 0) return;
  wait_for_room(line_of(Level::warning, "lines_dropped",
                        std::to_string(g_log.unreported) + " lines were dropped because standard error was not read",
                        {{"dropped", g_log.unreported}}));
  g_log.unreported = 0;
}

// Writes line by line: a line that a pipe takes in one write does not mix with other processes' lines.
bool send_waiting() {
  while (!g_log.waiting.empty()) {
    std::string& line = g_log.waiting.front();
    const ssize_t written = g_log.output.write(line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;  // also for a full disk, which may have room later
    g_log.waiting_bytes -= static_cast<size_t>(written);
    if (static_cast<size_t>(written) < line.size()) line.erase(0, static_cast<size_t>(written));
    else g_log.waiting.pop_front();
  }
  return true;
}

bool flush_waiting() {
  if (!send_waiting()) return false;
  report_dropped();
  return send_waiting();
}

}  // namespace

void open(std::string_view program, Level least, Format format) {
  g_log.program = program;
  g_log.least = least;
  g_log.coloured = g_log.opened ? g_log.coloured : isatty(STDERR_FILENO) == 1;
  g_log.text = format == Format::text || (format == Format::automatic && g_log.coloured);
  if (g_log.opened) return;
  g_log.opened = true;
  g_log.output = Output(STDERR_FILENO);
}

bool enabled(Level level) { return level >= g_log.least; }

void write(Level level, std::string_view event, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  if (!g_log.opened) open(g_log.program);
  std::string line = line_of(level, event, message, fields);
  const std::lock_guard guard(g_mutex);
  flush_waiting();
  if (g_log.waiting_bytes + line.size() > kMostWaiting) {
    g_log.dropped++;
    g_log.unreported++;
    return;
  }
  report_dropped();
  wait_for_room(std::move(line));
  send_waiting();
}

bool flush() {
  const std::lock_guard guard(g_mutex);
  return flush_waiting();
}

void finish() {
  for (int looks = 0; !flush() && errno == EAGAIN && looks < kLooksAtTheEnd; looks++) poll(nullptr, 0, kLookMs);
}

uint64_t dropped() {
  const std::lock_guard guard(g_mutex);
  return g_log.dropped;
}

void begin_in_child() {
  g_log.waiting.clear();
  g_log.waiting_bytes = g_log.dropped = g_log.unreported = 0;
  g_log.output.settle();
}

}  // namespace common::log
