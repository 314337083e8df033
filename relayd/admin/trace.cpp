#include "relayd/admin/trace.h"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ostream>

#include "common/operator/terminal.h"
#include "relayd/admin/feed_reader.h"

namespace relayd::admin {
namespace {

using common::Milliseconds;
constexpr Milliseconds kPatience{10'000};

volatile sig_atomic_t interrupted = 0;

std::string text(const Json& line, const char* name) {
  return line.contains(name) && line[name].is_string() ? line[name].get<std::string>() : "";
}

std::optional<uint64_t> number(const Json& line, const char* name) {
  if (!line.contains(name) || !line[name].is_number_unsigned()) return std::nullopt;
  return line[name].get<uint64_t>();
}

std::string packet(const Json& line) {
  std::string shown = text(line, "type");
  shown.resize(std::max<size_t>(shown.size(), 11), ' ');
  shown += " " + std::to_string(number(line, "size").value_or(0)) + " bytes";
  for (const char* name : {"qos", "id"})
    if (const auto value = number(line, name)) shown += std::string("  ") + name + " " + std::to_string(*value);
  for (const char* name : {"dup", "retain"})
    if (number(line, name) == 1) shown += std::string("  ") + name;
  if (const auto reason = number(line, "reason")) {
    char code[16];
    snprintf(code, sizeof code, "  0x%02X", static_cast<unsigned>(*reason & 0xff));
    shown += code;
  }
  if (const std::string topic = text(line, "topic"); !topic.empty()) shown += "  " + topic;
  return shown;
}

std::string event(const Json& line) {
  std::string shown = "* " + text(line, "event");
  for (const char* name : {"state", "device", "tls", "route", "why", "fix"})
    if (const std::string value = text(line, name); !value.empty()) shown += std::string("  ") + name + ": " + value;
  return shown;
}

}  // namespace

std::optional<uint64_t> parse_seconds(const std::string& text) {
  uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const uint64_t factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  constexpr uint64_t kWeek = 7 * 24 * 3600;
  if (error != std::errc() || factor == 0 || seconds == 0 || seconds > kWeek / factor) return std::nullopt;
  return seconds * factor;
}

std::string shown_trace(const Json& line) {
  if (const auto dropped = number(line, "dropped"))
    return "* " + std::to_string(*dropped) + " lines were dropped: this command did not take them in time";
  const std::string kind = text(line, "event");
  if (kind.empty()) return "";
  std::string shown = std::to_string(number(line, "ms").value_or(0)) + " ms";
  shown.insert(0, shown.size() < 12 ? 12 - shown.size() : 0, ' ');
  shown += "  " + text(line, "session") + "  ";
  if (kind == "up") return shown + "→ " + packet(line);
  if (kind == "down") return shown + "← " + packet(line);
  return shown + event(line);
}

int trace(const std::string& control_socket, const TraceLine& line, std::ostream& out, std::ostream& errors,
          bool as_json) {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };  // without SA_RESTART: it ends poll(2)
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  const Json request = {{"command", "trace"}, {"client_id", line.client_id}, {"topics", line.topics}};
  const Milliseconds at_most{line.seconds ? static_cast<int64_t>(*line.seconds) * 1000 : 0};
  const auto until = FeedReader::Clock::now() + at_most;
  FeedReader reader(ask_for_feeds(control_socket, request, kPatience), FeedReader::Kind::live,
                    {.lines = UINT64_MAX, .silence = Milliseconds(0), .at_most = Milliseconds(0)});
  Json said;
  bool over = false;
  while (!interrupted && out) {
    auto patience = Milliseconds(1000);
    if (line.seconds) patience = std::min(patience, std::chrono::ceil<Milliseconds>(until - FeedReader::Clock::now()));
    if (patience <= Milliseconds(0)) break;
    const auto got = reader.next(said, patience);
    if (got == FeedReader::Got::over) {
      if (reader.problems().empty()) errors << "mqtt-relay: relayd's workers have ended\n";
      over = true;
      break;
    }
    if (got != FeedReader::Got::line) continue;
    if (as_json) out << said.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) << "\n" << std::flush;
    else if (const std::string shown = shown_trace(said); !shown.empty())
      out << common::visible(shown) << "\n" << std::flush;
  }
  for (const std::string& problem : reader.problems()) errors << "mqtt-relay: " << common::visible(problem) << "\n";
  return over || !reader.problems().empty() ? 1 : 0;
}

}  // namespace relayd::admin
