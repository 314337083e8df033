#include "relayd/admin/log_level.h"

#include <algorithm>
#include <ostream>

#include "common/log.h"
#include "relayd/admin/notes.h"
#include "relayd/admin/texts.h"
#include "relayd/admin/trace.h"

namespace relayd::admin {
namespace {

constexpr common::Milliseconds kPatience{10'000};

// Why the words don't fit together; "": they do.
std::string misfit(const LogLevelLine& line) {
  if (line.client_id && !line.level) return "--client needs a LEVEL; without both, all levels are shown";
  if (!line.lasts.empty() && line.level.value_or("default") == "default") return "--for needs a LEVEL that it ends";
  return "";
}

std::string how_long(const Json& one) {
  return one.contains("seconds_left") ? ", " + age(one["seconds_left"].get<uint64_t>()) + " left" : "";
}

}  // namespace

CLI::App* define_log_level(CLI::App& app, LogLevelLine& line) {
  CLI::App& command = *common::add_command(app, "log-level", kLogLevelNotes);
  command.add_option("LEVEL", line.level, "debug, info, warning, error, or default: take it back")
      ->check([](const std::string& text) {
        const bool known = text == "default" ||
                           std::ranges::find(common::log::kLevelNames, text) != std::end(common::log::kLevelNames);
        return known ? "" : "found \"" + text + "\"; allowed: debug, info, warning, error, default";
      });
  command.add_option("--client", line.client_id, "Only of this device's sessions; of 16 at most")
      ->type_name("CLIENT_ID");
  command.add_option("--for", line.lasts, "Take it back by itself: 30s, 10m, 2h")
      ->type_name("TIME")
      ->check([](const std::string& text) {
        return parse_seconds(text) ? "" : "found \"" + text + "\"; allowed: 1s to 168h, as 30s, 10m or 2h";
      });
  command.add_flag("--json", line.json, "JSON instead of a table; a pipe always gets JSON");
  command.callback([&line] {
    if (const std::string problem = misfit(line); !problem.empty())
      throw CLI::RequiredError(problem, CLI::ExitCodes::RequiredError);
  });
  return &command;
}

std::string shown_levels(const Json& log) {
  std::vector<std::pair<std::string, std::string>> rows;
  const std::string level = log.at("level"), configured = log.at("configured");
  rows.emplace_back(
      "relayd",
      level + (log.at("by_command") == true ? ", by command" + how_long(log) + "; configured: " + configured : ""));
  for (const Json& client : log.at("clients"))
    rows.emplace_back(shortened(common::visible(client.at("client_id").get<std::string>())),
                      client.at("level").get<std::string>() + ", by command" + how_long(client));
  size_t width = 0;
  for (const auto& [of, words] : rows) width = std::max(width, common::width_of(of));
  std::string table;
  for (const auto& [of, words] : rows) table += common::padded(of, width) + "  " + words + "\n";
  return table;
}

int log_level(const std::string& control_socket, const LogLevelLine& line, std::ostream& out, bool json) {
  Json request = {{"command", "log-level"}};
  if (line.level) request["level"] = *line.level;
  if (line.client_id) request["client_id"] = *line.client_id;
  if (!line.lasts.empty()) request["seconds"] = parse_seconds(line.lasts).value_or(0);
  Json answer = ask(control_socket, request, kPatience);
  answer.erase("ok");
  if (json) out << answer.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) << "\n";
  else if (answer.contains("message")) out << common::visible(answer["message"].get<std::string>()) << "\n";
  else out << shown_levels(answer.at("log"));
  return 0;
}

}  // namespace relayd::admin
