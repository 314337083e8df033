#include "relayd/monitor/page.h"

#include "relayd/monitor/numbers.h"
#include "relayd/monitor/page_style.h"
#include "relayd/monitor/readiness.h"

namespace relayd::monitor {
namespace {

using Json = View::Json;

constexpr int64_t kDay = 86'400, kSoon = 30 * kDay;

std::string text(const Json& object, const char* key) { return object.at(key).get<std::string>(); }

std::string shown(std::optional<double> rate) { return rate ? per_second(*rate) : "–"; }

void tile(Html& html, std::string_view name, std::string_view value, std::string_view below) {
  html.raw("<div>").element("dt", name).element("dd", value, {{"class", "value"}});
  html.element("dd", below, {{"class", "faint"}}).raw("</div>\n");
}

void add_head(Html& html, const View& view, bool ready) {
  html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n")
      .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
      .open("meta", {{"http-equiv", "refresh"}, {"content", std::to_string(kRefreshSeconds)}})
      .raw("<meta name=\"robots\" content=\"noindex\">\n")
      .element("title", std::string(ready ? "" : "not ready: ") + "mqtt-relay " + text(view.now, "bind"))
      .raw("<style>")
      .raw(kPageStyle)
      .raw("</style></head><body>\n<header>")
      .element("h1", "mqtt-relay")
      .element("span", text(view.now, "version") + ", " + text(view.now, "bind") + " → " + text(view.now, "remote"),
               {{"class", "faint"}})
      .raw("</header>\n<main>\n");
}

void add_state(Html& html, const std::string& why_not) {
  if (why_not.empty()) html.element("p", "Ready: new devices are accepted", {{"class", "state good"}});
  else html.element("p", "Not ready: " + why_not, {{"class", "state bad"}});
}

// What an operator should look at, although the relay may be ready.
void add_concerns(Html& html, const View& view) {
  html.raw("<ul class=\"concerns\">\n");
  size_t left = kMostRows;
  const auto add = [&](const std::string& concern) {
    if (left > 0) left--, html.element("li", concern);
  };
  for (const Json& worker : view.now.at("workers"))
    if (text(worker, "state") == "quarantined")
      add("Worker " + std::to_string(worker.at("worker").get<uint64_t>()) +
          " is in quarantine, because it died too often; the log says why");
  for (const Json& connector : view.now.at("connectors"))
    if (text(connector, "state") == "waiting") add("The connector has died and is to be started again");
  for (const Json& line : view.now.at("trust")) add(line.get<std::string>());
  for (const Json& expiry : view.now.at("expiries")) {
    const auto at = expiry.at("at").get<int64_t>();
    // CAs and CRLs that have expired are among "trust".
    if (text(expiry, "kind") == "certificate" && at < view.clock + kSoon)
      add("The certificate \"" + text(expiry, "subject") + "\" in " + text(expiry, "file") +
          (at < view.clock ? " expired " : " expires ") + days_left(at, view.clock) + ", on " + day(at));
  }
  if (const uint64_t failed = view.now.at("failed_reloads").get<uint64_t>(); failed > 0)
    add(grouped(failed) + (failed == 1 ? " reload" : " reloads") + " of the configuration failed; the log says why");
  if (const uint64_t dropped = view.total("log_lines_dropped"); dropped > 0)
    add(grouped(dropped) + " log lines were dropped, because standard error was not read");
  html.raw("</ul>\n");
}

std::string both_ways(const View& view, const char* name, std::string (*format)(double)) {
  const auto up = view.rate(name, "up"), down = view.rate(name, "down");
  return up && down ? "↑ " + format(*up) + "  ↓ " + format(*down) : "↑ –  ↓ –";
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

void add_tiles(Html& html, const View& view) {
  html.raw("<dl class=\"tiles\">\n");
  tile(html, "Sessions", grouped(view.total("sessions")), "of " + grouped(view.total("connections")) + " connections");
  tile(html, "New sessions/s", shown(view.rate("sessions_started")),
       grouped(view.total("sessions_started")) + " since the start");
  tile(html, "Handshakes/s", shown(view.times_rate("tls_handshake_duration_seconds", "device")),
       "failed: " + shown(view.rate("handshakes_failed")));
  const auto bytes = sum(view.rate("bytes", "up"), view.rate("bytes", "down"));
  tile(html, "Messages/s", shown(sum(view.rate("messages", "up"), view.rate("messages", "down"))),
       both_ways(view, "messages", per_second));
  tile(html, "Bytes/s", bytes ? in_bytes(*bytes) : "–", both_ways(view, "bytes", in_bytes));
  const auto keyd = view.times("keyd_answer_duration_seconds", "sign");
  const auto median = quantile(keyd.buckets, 0.5), slow = quantile(keyd.buckets, 0.99);
  tile(html, "keyd signs in", median ? in_seconds(*median) : "–", "99 %: " + (slow ? in_seconds(*slow) : "–"));
  html.raw("</dl>\n");
}

void add_foot(Html& html, const View& view) {
  html.raw("</main>\n<footer>")
      .element("span", moment(view.clock))
      .element("span", view.before ? "rates: the last " + in_seconds(view.seconds) : "rates: with the next refresh")
      .element("span", "refreshes every " + std::to_string(kRefreshSeconds) + " s")
      .element("span", "pid " + std::to_string(view.now.at("pid").get<int64_t>()) + ", generation " +
                           std::to_string(view.now.at("generation").get<int64_t>()))
      .raw("<a href=\"metrics\">metrics</a> <a href=\"readyz\">readyz</a></footer>\n</body></html>\n");
}

}  // namespace

std::string Page::html(std::string_view status, History::Clock::time_point at, int64_t clock) {
  const auto now = std::make_shared<const Json>(Json::parse(status));
  const auto before = history_.compare_with({now, at});
  const std::string why_not = why_not_ready(status);
  const View view{*now, before.status.get(), std::chrono::duration<double>(at - before.at).count(), clock};
  Html html;
  add_head(html, view, why_not.empty());
  add_state(html, why_not);
  add_concerns(html, view);
  add_tiles(html, view);
  add_workers(html, view);
  html.raw("<div class=\"pair\">\n");
  add_brokers(html, view);
  add_keyd(html, view);
  add_times(html, view);
  add_refusals(html, view);
  html.raw("</div>\n");
  add_certificates(html, view);
  add_foot(html, view);
  return std::move(html).take();
}

}  // namespace relayd::monitor
