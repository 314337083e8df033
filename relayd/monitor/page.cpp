#include "relayd/monitor/page.h"

#include "relayd/monitor/page_style.h"
#include "relayd/overview/numbers.h"
#include "relayd/overview/overview.h"
#include "relayd/overview/readiness.h"

namespace relayd::monitor {
namespace {

using Json = View::Json;
using overview::in_seconds, overview::moment;

std::string text(const Json& object, const char* key) { return object.at(key).get<std::string>(); }

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
  for (const std::string& concern : overview::concerns(view))
    if (left > 0) left--, html.element("li", concern);
  html.raw("</ul>\n");
}

void add_tiles(Html& html, const View& view) {
  html.raw("<dl class=\"tiles\">\n");
  for (const auto& [name, value, below] : overview::headlines(view)) {
    html.raw("<div>").element("dt", name).element("dd", value, {{"class", "value"}});
    html.element("dd", below, {{"class", "faint"}}).raw("</div>\n");
  }
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
  const std::string why_not = overview::why_not_ready(*now);
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
