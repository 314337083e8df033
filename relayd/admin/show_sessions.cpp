#include "relayd/admin/show_sessions.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <ostream>

#include "relayd/admin/feed_reader.h"
#include "relayd/admin/texts.h"

namespace relayd::admin {
namespace {

using common::Milliseconds;
constexpr Milliseconds kPatience{10'000};

enum class Type : uint8_t { text, number, flag };
struct Fact {
  const char* name;
  Type type;
};
// As relayd/session/session_facts.cpp has them. A flag comes as 0 or 1.
constexpr Fact kFacts[] = {
    {"session", Type::text},
    {"client_id", Type::text},
    {"device", Type::text},
    {"listener", Type::text},
    {"state", Type::text},
    {"route", Type::text},
    {"broker", Type::text},
    {"seconds", Type::number},
    {"bytes_up", Type::number},
    {"bytes_down", Type::number},
    {"messages_up", Type::number},
    {"messages_down", Type::number},
    {"keep_alive", Type::number},
    {"tls", Type::text},
    {"mqtt", Type::text},
    {"clean_start", Type::flag},
    {"will", Type::flag},
    {"session_expiry", Type::number},
    {"websocket", Type::flag},
    {"silent_ms", Type::number},
    {"silent_at_most_ms", Type::number},
    {"device_paused", Type::flag},
    {"waiting_for_device", Type::number},
    {"broker_tls", Type::text},
    {"broker_from", Type::text},
    {"broker_paused", Type::flag},
    {"waiting_for_broker", Type::number},
    {"certificate_cn", Type::text},
    {"certificate_subject", Type::text},
    {"certificate_serial", Type::text},
    {"certificate_sha256", Type::text},
    {"certificate_spki", Type::text},
};

bool has_type(const Json& value, Type type) {
  if (type == Type::text) return value.is_string();
  return value.is_number_unsigned() && (type == Type::number || value <= 1);
}

std::string text(const Json& session, const char* name) {
  return session.contains(name) ? common::visible(session[name].get<std::string>()) : "";
}

std::string size(const Json& session, const char* name) {
  return session.contains(name) ? in_units(session[name].get<uint64_t>()) : "";
}

std::string count(const Json& session, const char* name) {
  return session.contains(name) ? common::grouped(session[name].get<uint64_t>()) : "";
}

using Row = std::array<std::string, 11>;

Row row_of(const Json& session) {
  std::string route = text(session, "route");
  if (const std::string broker = text(session, "broker"); !broker.empty()) route += " " + broker;
  return {text(session, "session"),
          session.contains("client_id") ? shortened(text(session, "client_id")) : "-",
          text(session, "device"),
          text(session, "state"),
          shortened(route),
          session.contains("seconds") ? age(session["seconds"].get<uint64_t>()) : "",
          size(session, "bytes_up"),
          size(session, "bytes_down"),
          count(session, "messages_up"),
          count(session, "messages_down"),
          text(session, "tls")};
}

const Row kHead{"SESSION", "CLIENT ID", "DEVICE", "STATE", "ROUTE", "AGE", "UP", "DOWN", "MSG UP", "MSG DOWN", "TLS"};

void print_table(const std::vector<Json>& sessions, std::ostream& out, const common::Screen& screen) {
  std::vector<Row> rows{kHead};
  for (const Json& session : sessions) rows.push_back(row_of(session));
  std::array<size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows)
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], common::width_of(row[i]));
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); i++) line += common::padded(row[i], widths[i]) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    out << (&row == &rows.front() ? screen.paint(common::Colour::bold, line) : line) << "\n";
  }
}

int report(const FeedReader& reader, std::ostream& errors) {
  for (const std::string& problem : reader.problems()) errors << "mqtt-relay: " << common::visible(problem) << "\n";
  return reader.problems().empty() ? 0 : 1;
}

std::string json_line(const Json& session) {
  return session.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Json checked_session(const Json& claimed, const FeedSocket& from, int64_t now) {
  Json session = Json::object();
  for (const auto& [name, type] : kFacts) {
    const auto found = claimed.find(name);
    if (found == claimed.end() || !has_type(*found, type)) continue;
    if (type == Type::flag) session[name] = *found == 1;
    else session[name] = *found;
    if (std::string_view(name) == "seconds")
      session["since"] = time_text(now - static_cast<int64_t>(std::min<uint64_t>(found->get<uint64_t>(), now)));
  }
  session["worker"] = from.worker;
  session["generation"] = from.generation;
  return session;
}

int show_sessions(const std::string& control_socket, const SessionsLine& line, std::ostream& out, std::ostream& errors,
                  const common::Screen& screen) {
  Json request = {{"command", "sessions"}, {"client", line.client}};
  if (line.limit > 0) request["limit"] = line.limit;
  FeedReader reader(ask_for_feeds(control_socket, request, kPatience), FeedReader::Kind::list);
  const int64_t now = time(nullptr);
  std::vector<Json> sessions;
  size_t shown = 0;
  const bool as_json = line.json || !screen.terminal;
  Json claimed;
  for (auto got = FeedReader::Got::nothing; got != FeedReader::Got::over;) {
    got = reader.next(claimed, kPatience);
    if (got != FeedReader::Got::line || (line.limit > 0 && shown >= line.limit)) continue;
    shown++;
    if (as_json) out << json_line(checked_session(claimed, reader.from(), now));
    else sessions.push_back(checked_session(claimed, reader.from(), now));
  }
  if (!as_json) {
    std::ranges::sort(sessions, {}, [](const Json& session) { return session.value("client_id", ""); });
    print_table(sessions, out, screen);
    out << common::counted(reader.sessions(), "session");
    if (shown != reader.sessions()) out << ", " << common::grouped(shown) << " shown";
    out << "\n";
  }
  return report(reader, errors);
}

int show_session(const std::string& control_socket, const std::string& session, bool json, std::ostream& out,
                 std::ostream& errors, const common::Screen& screen) {
  FeedReader reader(ask_for_feeds(control_socket, {{"command", "session"}, {"session", session}}, kPatience),
                    FeedReader::Kind::list);
  Json claimed, found;
  for (auto got = FeedReader::Got::nothing; got != FeedReader::Got::over;) {
    got = reader.next(claimed, kPatience);
    if (got == FeedReader::Got::line && found.is_null()) found = checked_session(claimed, reader.from(), time(nullptr));
  }
  const int status = report(reader, errors);
  if (found.is_null()) throw std::runtime_error("there is no session " + session + "; it may have ended");
  if (json || !screen.terminal) {
    out << found.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) << "\n";
    return status;
  }
  for (const auto& [name, value] : found.items()) {
    std::string label = name;
    std::replace(label.begin(), label.end(), '_', ' ');
    out << common::padded(label, 20) << "  "
        << (value.is_string()    ? common::visible(value.get<std::string>())
            : value.is_boolean() ? (value.get<bool>() ? "yes" : "no")
                                 : common::grouped(value.get<uint64_t>()))
        << "\n";
  }
  return status;
}

}  // namespace relayd::admin
