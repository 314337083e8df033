#include "relayd/admin/show_status.h"

#include <algorithm>
#include <array>
#include <ostream>

namespace relayd::admin {
namespace {

using common::Colour;
using common::grouped;
using common::padded;
using common::Screen;

uint64_t number(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number_unsigned() ? object[key].get<uint64_t>() : 0;
}

std::string word(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? common::visible(object[key].get<std::string>()) : "";
}

std::string in_bytes(uint64_t bytes) {
  constexpr uint64_t kMega = 1024 * 1024;
  return bytes < 10 * kMega ? grouped(bytes / 1024) + " KB" : grouped(bytes / kMega) + " MB";
}

// "3", or for a family "up 2, down 1", without zeros.
std::string value_of(const Json& value) {
  if (!value.is_object()) return value.is_number_unsigned() ? grouped(value.get<uint64_t>()) : "0";
  std::string text;
  for (const auto& [label, part] : value.items())
    if (part.is_number_unsigned() && part.get<uint64_t>() != 0)
      text += (text.empty() ? "" : ", ") + common::visible(label) + " " + grouped(part.get<uint64_t>());
  return text.empty() ? "0" : text;
}

void show_head(const Json& status, std::ostream& out, const Screen& screen) {
  out << screen.paint(Colour::bold, "relayd " + word(status, "version")) << ", pid " << number(status, "pid") << ": "
      << word(status, "bind") << " → " << word(status, "remote") << "\n";
  const uint64_t failed = number(status, "failed_reloads");
  out << "generation " << number(status, "generation") << ", " << common::counted(number(status, "reloads"), "reload");
  if (failed > 0) out << ", " << screen.paint(Colour::yellow, common::counted(failed, "failed reload"));
  if (const std::string keyd = word(status, "keyd"); keyd != "serving")
    out << ", " << screen.paint(Colour::red, "keyd is " + keyd);
  out << "\n";
}

void show_listeners(const Json& status, std::ostream& out) {
  if (!status.contains("listeners") || !status["listeners"].is_array() || status["listeners"].size() < 2) return;
  for (const Json& listener : status["listeners"])
    out << "listener " << word(listener, "name") << " on " << word(listener, "bind") << ": "
        << common::counted(number(listener, "connections"), "connection") << ", "
        << grouped(number(listener, "connections_accepted")) << " accepted\n";
}

void show_monitor(const Json& status, std::ostream& out, const Screen& screen) {
  if (!status.contains("monitor")) return;  // metrics is not set
  const Json& monitor = status["monitor"];
  const std::string state = word(monitor, "state");
  out << "monitor " << (state == "serving" ? state : screen.paint(Colour::red, state));
  if (const uint64_t pid = number(monitor, "pid"); pid != 0) out << ", pid " << pid;
  if (const uint64_t restarts = number(monitor, "restarts"); restarts > 0)
    out << ", " << screen.paint(Colour::yellow, common::counted(restarts, "restart"));
  out << "\n";
}

void show_connectors(const Json& status, std::ostream& out, const Screen& screen) {
  if (!status.contains("connectors") || !status["connectors"].is_array()) return;
  for (const Json& connector : status["connectors"]) {
    const std::string state = word(connector, "state");
    out << "connector of generation " << number(connector, "generation") << " "
        << (state == "serving" ? state : screen.paint(Colour::red, state));
    if (const uint64_t pid = number(connector, "pid"); pid != 0) out << ", pid " << pid;
    if (const uint64_t restarts = number(connector, "restarts"); restarts > 0)
      out << ", " << screen.paint(Colour::yellow, common::counted(restarts, "restart"));
    out << "\n";
  }
}

void show_trust(const Json& status, std::ostream& out, const Screen& screen) {
  if (!status.contains("trust") || !status["trust"].is_array()) return;
  for (const Json& line : status["trust"])
    if (line.is_string())
      out << screen.paint(Colour::yellow, "trust") << "  " << common::visible(line.get<std::string>()) << "\n";
}

void show_paused(const Json& status, std::ostream& out, const Screen& screen) {
  if (!status.contains("paused") || !status["paused"].is_array()) return;
  for (const Json& name : status["paused"])
    if (name.is_string())
      out << screen.paint(Colour::yellow, "paused") << "  listener " << common::visible(name.get<std::string>())
          << ": new connections wait; mqtt-relay resume\n";
}

void show_totals(const Json& status, std::ostream& out) {
  if (!status.contains("total") || !status["total"].is_object()) return;
  size_t width = 0;
  for (const auto& [name, value] : status["total"].items()) width = std::max(width, name.size());
  for (const auto& [name, value] : status["total"].items()) {
    std::string shown = common::visible(name);
    std::replace(shown.begin(), shown.end(), '_', ' ');
    out << "  " << padded(shown, width) << "  "
        << (name == "memory_bytes" ? in_bytes(number(status["total"], "memory_bytes")) : value_of(value)) << "\n";
  }
}

using Row = std::array<std::string, 8>;
constexpr std::array<size_t, 8> kWidths{6, 10, 8, 8, 8, 11, 10, 10};

std::string line_of(const Row& row) {
  std::string line;
  for (size_t i = 0; i < row.size(); i++) line += padded(row[i], kWidths[i]) + "  ";
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

void show_workers(const Json& status, std::ostream& out, const Screen& screen) {
  if (!status.contains("workers") || !status["workers"].is_array()) return;
  out << screen.paint(Colour::bold, line_of({"WORKER", "GENERATION", "PID", "STATE", "RESTARTS", "CONNECTIONS",
                                             "SESSIONS", "MEMORY"}))
      << "\n";
  for (const Json& worker : status["workers"]) {
    const std::string state = word(worker, "state");
    const Colour colour = state == "serving"                             ? Colour::none
                          : state == "waiting" || state == "quarantined" ? Colour::red
                                                                         : Colour::yellow;
    const uint64_t pid = number(worker, "pid");
    out << screen.paint(colour,
                        line_of({std::to_string(number(worker, "worker")), std::to_string(number(worker, "generation")),
                                 pid == 0 ? "-" : std::to_string(pid), state, grouped(number(worker, "restarts")),
                                 grouped(number(worker, "connections")), grouped(number(worker, "sessions")),
                                 in_bytes(number(worker, "memory_bytes"))}))
        << "\n";
  }
}

}  // namespace

void show_status(const Json& status, std::ostream& out, const Screen& screen) {
  show_head(status, out, screen);
  show_listeners(status, out);
  show_connectors(status, out, screen);
  show_monitor(status, out, screen);
  show_trust(status, out, screen);
  show_paused(status, out, screen);
  out << "\n";
  show_totals(status, out);
  out << "\n";
  show_workers(status, out, screen);
}

}  // namespace relayd::admin
