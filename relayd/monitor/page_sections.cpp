#include <algorithm>

#include "relayd/monitor/page.h"
#include "relayd/monitor/table.h"
#include "relayd/overview/numbers.h"
#include "relayd/overview/overview.h"

namespace relayd::monitor {
namespace {

using Json = View::Json;
using overview::day, overview::days_left, overview::grouped, overview::in_bytes, overview::shown_rate,
    overview::shown_time;

constexpr int64_t kDay = 86'400, kSoon = 30 * kDay;

std::string text(const Json& object, const char* key) { return object.at(key).get<std::string>(); }
uint64_t number(const Json& object, const char* key) { return object.value(key, uint64_t{0}); }

void begin(Html& html, std::string_view title) { html.raw("<section>").element("h2", title); }
void end(Html& html) { html.raw("</section>\n"); }

std::string_view class_of(const std::string& state) {
  switch (overview::mood_of(state)) {
    case overview::Mood::good: return "good";
    case overview::Mood::neutral: return "";
    case overview::Mood::bad: return "bad";
  }
  return "";
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
               {state, class_of(state)},
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
               {shown_rate(view.rate("remote_sessions_started", label))}});
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
  html.raw("<section><h2>keyd: ").element("span", state, {{"class", class_of(state)}}).raw("</h2>\n");
  Table table(html, {{"request"}, {"a second", true}, {"median", true}, {"99 %", true}}, kMostRows);
  for (const overview::Timing& one : overview::keyd_timings(view))
    table.row({{std::string(one.of)}, {shown_rate(one.rate)}, {shown_time(one.median)}, {shown_time(one.most)}});
  table.end("");
  end(html);
}

void add_times(Html& html, const View& view) {
  begin(html, "Times");
  Table table(html, {{"of"}, {"count", true}, {"median", true}, {"99 %", true}}, kMostRows);
  for (const overview::Timing& one : overview::device_timings(view))
    table.row({{std::string(one.of)}, {grouped(one.count)}, {shown_time(one.median)}, {shown_time(one.most)}});
  table.end("No device has connected yet.");
  end(html);
}

void add_refusals(Html& html, const View& view) {
  begin(html, "Refused and failed");
  Table table(html, {{"where"}, {"cause"}, {"count", true}, {"a second", true}}, kMostRows);
  for (const auto& [where, cause, count, rate] : overview::refusals(view))
    table.row({{std::string(where)}, {cause}, {grouped(count)}, {shown_rate(rate)}});
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
