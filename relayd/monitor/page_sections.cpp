#include <algorithm>
#include <tuple>

#include "relayd/handover/series.h"
#include "relayd/monitor/numbers.h"
#include "relayd/monitor/page.h"
#include "relayd/monitor/table.h"

namespace relayd::monitor {
namespace {

using Json = View::Json;

constexpr int64_t kDay = 86'400, kSoon = 30 * kDay;

std::string text(const Json& object, const char* key) { return object.at(key).get<std::string>(); }
uint64_t number(const Json& object, const char* key) { return object.value(key, uint64_t{0}); }

void begin(Html& html, std::string_view title) { html.raw("<section>").element("h2", title); }
void end(Html& html) { html.raw("</section>\n"); }

std::string shown(std::optional<double> rate) { return rate ? per_second(*rate) : "–"; }
std::string time_of(const View::Times& times, double q) {
  const auto seconds = quantile(times.buckets, q);
  return seconds ? in_seconds(*seconds) : "–";
}

std::string_view mood_of(const std::string& state) {
  if (state == "serving") return "good";
  return state == "retired" || state == "starting" || state == "draining" ? "" : "bad";
}

// Names of series and label values are "words_like_this".
std::string in_words(std::string text) {
  std::ranges::replace(text, '_', ' ');
  return text;
}

// The families whose totals say that devices were turned away.
constexpr std::tuple<const char*, const char*> kRefusals[] = {
    {"handshake_failures", "TLS"},
    {"refused", "CONNACK"},
    {"remote_refused", "remote broker"},
    {"local_refused", "local broker"},
    {"dials_failed", "unreachable"},
    {"connections_shed", "limit"},
    {"proxy_refused", "PROXY header"},
    {"websocket_refused", "WebSocket"},
    {"certificate_file_refused", "certificate file"},
    {"suspicious_local", "stayed local"},
    {"keep_alive_timeouts", "ended"},
    {"send_timeouts", "ended"},
};

std::string cause_of(const Series& series) {
  if (series.meaning) return std::string(series.value) + " " + series.meaning;
  return in_words(series.label ? series.value : series.name);
}

}  // namespace

void add_workers(Html& html, const View& view) {
  begin(html, "Workers");
  Table table(html,
              {{"worker"},
               {"state"},
               {"sessions", true},
               {"connections", true},
               {"memory", true},
               {"wait for keyd", true},
               {"restarts", true}},
              kMostRows);
  for (const Json& worker : view.now.at("workers")) {
    const std::string state = text(worker, "state");
    const uint64_t restarts = number(worker, "restarts");
    table.row({{grouped(number(worker, "worker")) + ", generation " + grouped(number(worker, "generation"))},
               {state, mood_of(state)},
               {grouped(number(worker, "sessions"))},
               {grouped(number(worker, "connections"))},
               {in_bytes(static_cast<double>(number(worker, "memory_bytes")))},
               {grouped(number(worker, "fibers"))},
               {grouped(restarts), restarts > 0 ? "warn" : ""}});
  }
  table.end("There is no worker.");
  end(html);
}

void add_brokers(Html& html, const View& view) {
  begin(html, "Remote brokers");
  Table table(html, {{"broker"}, {"sessions", true}, {"new/s", true}}, kMostRows);
  size_t place = 0;
  for (const Json& broker : view.now.at("brokers")) {
    const std::string label = std::to_string(++place);
    table.row({{broker.get<std::string>()},
               {grouped(view.total("remote_sessions_started", label))},
               {shown(view.rate("remote_sessions_started", label))}});
  }
  table.end("None is configured yet.");
  if (const uint64_t unreachable = view.total("dials_failed", "remote"); unreachable > 0)
    html.element("p",
                 grouped(unreachable) + (unreachable == 1 ? " device" : " devices") +
                     " got no connection: no address of the broker accepted one",
                 {{"class", "warn"}});
  end(html);
}

void add_keyd(Html& html, const View& view) {
  const std::string state = text(view.now, "keyd");
  html.raw("<section><h2>keyd: ").element("span", state, {{"class", mood_of(state)}}).raw("</h2>\n");
  Table table(html, {{"request"}, {"a second", true}, {"median", true}, {"99 %", true}}, kMostRows);
  for (const char* request : {"lookup", "sign"}) {
    const auto times = view.times("keyd_answer_duration_seconds", request);
    table.row({{request},
               {shown(view.times_rate("keyd_answer_duration_seconds", request))},
               {time_of(times, 0.5)},
               {time_of(times, 0.99)}});
  }
  table.end("");
  end(html);
}

void add_times(Html& html, const View& view) {
  begin(html, "Times");
  Table table(html, {{"of"}, {"count", true}, {"median", true}, {"99 %", true}}, kMostRows);
  const auto add = [&](const char* name, const char* value, const char* of) {
    const auto times = view.times(name, value);
    if (times.count > 0) table.row({{of}, {grouped(times.count)}, {time_of(times, 0.5)}, {time_of(times, 0.99)}});
  };
  add("tls_handshake_duration_seconds", "device", "TLS with the device");
  add("tls_handshake_duration_seconds", "remote", "TLS with the remote broker");
  add("tls_handshake_duration_seconds", "local", "TLS with the local broker");
  add("connect_duration_seconds", "remote", "CONNECT to CONNACK, remote");
  add("connect_duration_seconds", "local", "CONNECT to CONNACK, local");
  table.end("No device has connected yet.");
  end(html);
}

void add_refusals(Html& html, const View& view) {
  begin(html, "Refused and failed");
  Table table(html, {{"where"}, {"cause"}, {"count", true}, {"a second", true}}, kMostRows);
  for (const auto& [name, where] : kRefusals) {
    for (const Series& series : all_series()) {
      if (std::string_view(series.name) != name) continue;
      const std::string_view label = series.label ? series.value : "";
      if (const uint64_t count = view.total(name, label); count > 0)
        table.row({{where}, {cause_of(series)}, {grouped(count)}, {shown(view.rate(name, label))}});
    }
  }
  table.end("Nothing was refused, nothing failed.");
  html.element("p", "TCP probes, which are not failures: " + grouped(view.total("tcp_probes")), {{"class", "faint"}});
  end(html);
}

void add_certificates(Html& html, const View& view) {
  begin(html, "Certificates and CRLs, by expiry");
  std::vector<const Json*> expiries;
  for (const Json& expiry : view.now.at("expiries")) expiries.push_back(&expiry);
  std::ranges::stable_sort(expiries, {}, [](const Json* expiry) { return expiry->at("at").get<int64_t>(); });
  Table table(html, {{"expires"}, {"date"}, {"kind"}, {"subject"}, {"file"}}, kMostRows);
  for (const Json* expiry : expiries) {
    const auto at = expiry->at("at").get<int64_t>();
    const std::string_view mood = at < view.clock ? "bad" : at < view.clock + kSoon ? "warn" : "";
    const std::string kind = text(*expiry, "kind");
    table.row({{days_left(at, view.clock), mood},
               {day(at)},
               {kind == "certificate" ? "certificate"
                : kind == "ca"        ? "CA"
                                      : "CRL"},
               {text(*expiry, "subject")},
               {text(*expiry, "file")}});
  }
  table.end("None is in use.");
  end(html);
}

}  // namespace relayd::monitor
