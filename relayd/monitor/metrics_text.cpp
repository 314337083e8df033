#include "relayd/monitor/metrics_text.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "relayd/handover/series.h"

namespace relayd::monitor {
namespace {

using Json = nlohmann::json;

uint64_t number(const Json& value) { return value.get<uint64_t>(); }

using Type = MetricsPage::Type;

std::string label(const Json& worker, const char* name) { return std::to_string(number(worker.at(name))); }

// Series summed over all processes.
void add_total(MetricsPage& page, const Json& status, const Series& series) {
  const Json& value = status.at("total").at(series.name);
  if (!series.label) return page.sample(number(value));
  const uint64_t count = number(value.at(series.value));
  if (series.meaning) page.sample(count, {{series.label, series.value}, {"reason", series.meaning}});
  else page.sample(count, {{series.label, series.value}});
}

// Series of each running process.
void add_now(MetricsPage& page, const Json& status, const Series& series) {
  for (const Json& worker : status.at("workers"))
    if (worker.contains(series.name))
      page.sample(number(worker.at(series.name)),
                  {{"worker", label(worker, "worker")}, {"generation", label(worker, "generation")}});
}

void add_series(MetricsPage& page, const Json& status) {
  std::string_view last;
  for (const Series& series : all_series()) {
    if (last != series.name) page.family(series.name, series.help, series.total ? Type::counter : Type::gauge);
    last = series.name;
    if (series.total) add_total(page, status, series);
    else add_now(page, status, series);
  }
}

void add_histograms(MetricsPage& page, const Json& status) {
  const std::span<const HistogramSeries> all = all_histograms();
  for (size_t i = 0; i < all.size(); i++) {
    if (i == 0 || std::string_view(all[i].name) != all[i - 1].name)
      page.family(all[i].name, all[i].help, Type::histogram);
    const Json& one = status.at("histograms").at(i);
    page.histogram(one.at("buckets").get<std::vector<uint64_t>>(), number(one.at("nanoseconds")), all[i].label,
                   all[i].value);
  }
}

void add_expiries(MetricsPage& page, const Json& status) {
  page.family("certificate_not_after_timestamp_seconds", "When a certificate in use expires; kind is certificate or ca",
              Type::gauge);
  for (const Json& one : status.at("expiries"))
    if (one.at("kind") != "crl")
      page.sample(one.at("at").get<int64_t>(),
                  {{"kind", one.at("kind")}, {"file", one.at("file")}, {"subject", one.at("subject")}});
  page.family("crl_next_update_timestamp_seconds", "When a CRL in use expires", Type::gauge);
  for (const Json& one : status.at("expiries"))
    if (one.at("kind") == "crl")
      page.sample(one.at("at").get<int64_t>(), {{"file", one.at("file")}, {"issuer", one.at("subject")}});
}

// Includes zeros, so that an alert is a comparison and need not handle an absent series. The operator's status has the
// texts.
void add_trust(MetricsPage& page, const Json& status) {
  page.family("trust_concerns", "CAs and CRLs in use for which peers are refused", Type::gauge);
  for (const auto& [problem, count] : status.at("trust_concerns").items())
    page.sample(number(count), {{"problem", problem}});
}

void add_workers(MetricsPage& page, const Json& status) {
  page.family("worker_state", "1 for the state that a worker is in", Type::gauge);
  for (const Json& worker : status.at("workers"))
    page.sample(1, {{"worker", label(worker, "worker")},
                    {"generation", label(worker, "generation")},
                    {"state", worker.at("state").get<std::string>()}});
  page.family("worker_restarts", "Times that a worker was restarted", Type::counter);
  for (const Json& worker : status.at("workers"))
    page.sample(number(worker.at("restarts")),
                {{"worker", label(worker, "worker")}, {"generation", label(worker, "generation")}});
  page.family("connector_restarts", "Times that a generation's connector was restarted", Type::counter);
  for (const Json& connector : status.at("connectors"))
    page.sample(number(connector.at("restarts")), {{"generation", label(connector, "generation")}});
}

void add_listeners(MetricsPage& page, const Json& status) {
  const auto add = [&](const std::string& name, const char* key, std::string_view help, Type type) {
    page.family(name, help, type);
    for (const Json& listener : status.at("listeners"))
      page.sample(number(listener.at(key)), {{"listener", listener.at("name").get<std::string>()}});
  };
  add("listener_connections", "connections", "Connections of devices that are open, by listener", Type::gauge);
  add("listener_connections_accepted", "connections_accepted", "Connections accepted, by listener", Type::counter);
}

}  // namespace

std::string metrics_text(std::string_view text, Format format) {
  const Json status = Json::parse(text);
  MetricsPage page(format);
  page.family("info", "This relay", Type::gauge);
  page.sample(1, {{"version", status.at("version").get<std::string>()},
                  {"bind", status.at("bind").get<std::string>()},
                  {"remote", status.at("remote").get<std::string>()}});
  page.family("generation", "Generation of workers that serves new devices", Type::gauge);
  page.sample(number(status.at("generation")));
  page.family("reloads", "Reloads of the configuration", Type::counter);
  page.sample(number(status.at("reloads")), {{"result", "ok"}});
  page.sample(number(status.at("failed_reloads")), {{"result", "failed"}});
  add_trust(page, status);
  add_workers(page, status);
  add_listeners(page, status);
  add_series(page, status);
  add_histograms(page, status);
  add_expiries(page, status);
  return std::move(page).text();
}

}  // namespace relayd::monitor
