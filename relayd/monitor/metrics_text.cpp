#include "relayd/monitor/metrics_text.h"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "relayd/handover/series.h"

namespace relayd::monitor {
namespace {

using Json = nlohmann::json;

uint64_t number(const Json& value) { return value.get<uint64_t>(); }

// Label values are our own words, or names and addresses from the configuration, which may contain any byte.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

class Page {
 public:
  void family(const std::string& name, std::string_view help, const char* type) {
    name_ = "mqtt_relay_" + name;
    text_.append("# HELP ").append(name_).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name_).append(" ").append(type).append("\n");
  }
  void sample(uint64_t value, std::initializer_list<std::pair<std::string_view, std::string>> labels = {}) {
    text_ += name_;
    char before = '{';
    for (const auto& [label, text] : labels) {
      ((text_ += before) += label).append("=\"").append(escaped(text)).append("\"");
      before = ',';
    }
    if (labels.size() > 0) text_ += '}';
    text_.append(" ").append(std::to_string(value)).append("\n");
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string name_, text_;
};

std::string label(const Json& worker, const char* name) { return std::to_string(number(worker.at(name))); }

// Series summed over all processes.
void add_total(Page& page, const Json& status, const Series& series) {
  const Json& value = status.at("total").at(series.name);
  if (!series.label) return page.sample(number(value));
  const uint64_t count = number(value.at(series.value));
  if (series.meaning) page.sample(count, {{series.label, series.value}, {"reason", series.meaning}});
  else page.sample(count, {{series.label, series.value}});
}

// Series of each running process.
void add_now(Page& page, const Json& status, const Series& series) {
  for (const Json& worker : status.at("workers"))
    if (worker.contains(series.name))
      page.sample(number(worker.at(series.name)),
                  {{"worker", label(worker, "worker")}, {"generation", label(worker, "generation")}});
}

void add_series(Page& page, const Json& status) {
  std::string_view last;
  for (const Series& series : all_series()) {
    if (last != series.name)
      page.family(series.name + std::string(series.total ? "_total" : ""), series.help,
                  series.total ? "counter" : "gauge");
    last = series.name;
    if (series.total) add_total(page, status, series);
    else add_now(page, status, series);
  }
}

// Includes zeros, so that an alert is a comparison and need not handle an absent series. The operator's status has the
// texts.
void add_trust(Page& page, const Json& status) {
  page.family("trust_concerns", "CAs and CRLs in use for which peers are refused", "gauge");
  for (const auto& [problem, count] : status.at("trust_concerns").items())
    page.sample(number(count), {{"problem", problem}});
}

void add_workers(Page& page, const Json& status) {
  page.family("worker_state", "1 for the state that a worker is in", "gauge");
  for (const Json& worker : status.at("workers"))
    page.sample(1, {{"worker", label(worker, "worker")},
                    {"generation", label(worker, "generation")},
                    {"state", worker.at("state").get<std::string>()}});
  page.family("worker_restarts_total", "Times that a worker was restarted", "counter");
  for (const Json& worker : status.at("workers"))
    page.sample(number(worker.at("restarts")),
                {{"worker", label(worker, "worker")}, {"generation", label(worker, "generation")}});
  page.family("connector_restarts_total", "Times that a generation's connector was restarted", "counter");
  for (const Json& connector : status.at("connectors"))
    page.sample(number(connector.at("restarts")), {{"generation", label(connector, "generation")}});
}

void add_listeners(Page& page, const Json& status) {
  const auto add = [&](const std::string& name, const char* key, std::string_view help, const char* type) {
    page.family(name, help, type);
    for (const Json& listener : status.at("listeners"))
      page.sample(number(listener.at(key)), {{"listener", listener.at("name").get<std::string>()}});
  };
  add("listener_connections", "connections", "Connections of devices that are open, by listener", "gauge");
  add("listener_connections_accepted_total", "connections_accepted", "Connections accepted, by listener", "counter");
}

}  // namespace

std::string metrics_text(std::string_view text) {
  const Json status = Json::parse(text);
  Page page;
  page.family("info", "This relay", "gauge");
  page.sample(1, {{"version", status.at("version").get<std::string>()},
                  {"bind", status.at("bind").get<std::string>()},
                  {"remote", status.at("remote").get<std::string>()}});
  page.family("generation", "Generation of workers that serves new devices", "gauge");
  page.sample(number(status.at("generation")));
  page.family("reloads_total", "Reloads of the configuration", "counter");
  page.sample(number(status.at("reloads")), {{"result", "ok"}});
  page.sample(number(status.at("failed_reloads")), {{"result", "failed"}});
  add_trust(page, status);
  add_workers(page, status);
  add_listeners(page, status);
  add_series(page, status);
  return std::move(page).text();
}

}  // namespace relayd::monitor
