#include "relayd/admin/session_commands.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "common/operator/command_line.h"
#include "relayd/admin/notes.h"

namespace relayd::admin {
namespace {

using common::add_command;
constexpr common::Milliseconds kPatience{10'000};
constexpr uint64_t kTopMost = 3600;  // seconds

int say(const Json& answer) {
  std::cout << common::visible(answer.value("message", "done")) << "\n";
  return 0;
}

int run_drop(const SessionCommands& line, const std::string& control_socket) {
  Json request = {{"command", "disconnect"}};
  if (line.drop_session.empty()) request["client_id"] = line.drop_client;
  else request["session"] = line.drop_session;
  return say(ask(control_socket, request, kPatience));
}

int run_pause(const std::string& command, const std::string& listener, const std::string& control_socket) {
  return say(ask(control_socket, {{"command", command}, {"listener", listener}}, kPatience));
}

void add_json(CLI::App& command, SessionCommands& line) {
  command.add_flag("--json", line.sessions.json, "JSON instead of a table; a pipe always gets JSON");
}

}  // namespace

std::vector<CLI::App*> define_session_commands(CLI::App& app, SessionCommands& line) {
  CLI::App& top = *add_command(app, "top", kTopNotes);
  top.add_option("--interval", line.top.interval, "Between two samples: 1s to 1h; default 1s")
      ->type_name("TIME")
      ->check([](const std::string& text) {
        return parse_seconds(text).value_or(kTopMost + 1) <= kTopMost
                   ? ""
                   : "found \"" + text + "\"; allowed: 1s to 1h, as 5s or 2m";
      });
  top.add_option("--sort", line.top.sort, "The devices by bytes, messages, total, age or client")
      ->type_name("BY")
      ->check(CLI::IsMember(std::vector<std::string>(kDeviceOrders.begin(), kDeviceOrders.end())).description(""));
  top.add_option("--count", line.top.count, "End after N samples; default: q or ^C ends it")
      ->type_name("N")
      ->check(CLI::Range(1U, UINT32_MAX).description(""));
  top.add_flag("--json", line.top.json, "JSON lines instead of a screen; a pipe always gets them");
  CLI::App& sessions = *add_command(app, "sessions", kSessionsNotes);
  sessions
      .add_option("--client", line.sessions.client,
                  "Only client ids like this one; * stands for any text, ? for a byte")
      ->type_name("PATTERN");
  sessions.add_option("--limit", line.sessions.limit, "At most N sessions")
      ->type_name("N")
      ->check(CLI::Range(1U, UINT32_MAX).description(""));
  add_json(sessions, line);
  CLI::App& session = *add_command(app, "session", kSessionNotes);
  session.add_option("SESSION", line.session, "Its id: 16 hexadecimal digits")->required();
  add_json(session, line);
  CLI::App& traced = *add_command(app, "trace", kTraceNotes);
  traced.add_option("CLIENT_ID", line.trace.client_id, "The device")->required();
  traced.add_flag("--topics", line.trace.topics, "Topics, too");
  traced.add_option("--for", line.trace_for, "How long: 30s, 5m, 1h; default: until ^C")
      ->type_name("TIME")
      ->check([](const std::string& text) {
        return parse_seconds(text) ? "" : "found \"" + text + "\"; allowed: 1s to 168h, as 30s, 5m or 1h";
      });
  add_json(traced, line);
  CLI::App& explained = *add_command(app, "explain", kExplainNotes);
  explained.add_option("CLIENT_ID", line.explain.client_id, "The device")->required();
  explained.add_option("--keyd-config", line.explain.keyd_config, "Default /etc/mqtt-relay/keyd.json")
      ->type_name("FILE");
  add_json(explained, line);
  CLI::App& drop = *add_command(app, "drop", kDropNotes);
  drop.alias("disconnect");
  auto* client = drop.add_option("CLIENT_ID", line.drop_client, "The client id whose sessions end");
  auto* one = drop.add_option("--session", line.drop_session, "The one session that ends")->type_name("ID");
  drop.callback([client, one] {
    if (client->count() + one->count() != 1)
      throw CLI::RequiredError("expected either a CLIENT_ID or --session ID", CLI::ExitCodes::RequiredError);
  });
  std::vector<CLI::App*> all{&top, &sessions, &session, &traced, &explained, &drop};
  for (const char* name : {"pause", "resume"}) {
    CLI::App& command = *all.emplace_back(add_command(app, name, kPauseNotes));
    command.add_option("--listener", line.listener, "Only this listener; default: all")->type_name("NAME");
  }
  all.push_back(define_log_level(app, line.log_level));
  return all;
}

bool is_session_command(const std::string& name) {
  constexpr std::string_view kNames[] = {"top",  "sessions", "session", "trace",    "explain",
                                         "drop", "pause",    "resume",  "log-level"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

int run_session_command(const std::string& name, const SessionCommands& line, const std::string& control_socket) {
  const auto screen = common::Screen::of(STDOUT_FILENO);
  if (name == "top") return top(control_socket, line.top, std::cout, screen);
  if (name == "sessions") return show_sessions(control_socket, line.sessions, std::cout, std::cerr, screen);
  if (name == "session")
    return show_session(control_socket, line.session, line.sessions.json, std::cout, std::cerr, screen);
  if (name == "trace") {
    TraceLine trace_line = line.trace;
    if (!line.trace_for.empty()) trace_line.seconds = parse_seconds(line.trace_for);
    return trace(control_socket, trace_line, std::cout, std::cerr, line.sessions.json || !screen.terminal);
  }
  if (name == "explain")
    return explain(control_socket, line.explain, std::cout, line.sessions.json || !screen.terminal);
  if (name == "pause" || name == "resume") return run_pause(name, line.listener, control_socket);
  if (name == "log-level")
    return log_level(control_socket, line.log_level, std::cout, line.log_level.json || !screen.terminal);
  return run_drop(line, control_socket);
}

}  // namespace relayd::admin
