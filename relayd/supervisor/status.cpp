#include "relayd/supervisor/status.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace relayd {
namespace {

using Json = nlohmann::ordered_json;
using C = Counters;
void put(Json& object, const Series& series, uint64_t value) {
  if (series.label) object[series.name][series.value] = value;
  else object[series.name] = value;
}

// The numbers by kind, zeros included.
Json counts_of(const std::vector<trust::Concern>& concerns) {
  using Kind = trust::Concern::Kind;
  const auto expired = std::ranges::count(concerns, Kind::expired, &trust::Concern::kind);
  const auto early = std::ranges::count(concerns, Kind::not_yet_valid, &trust::Concern::kind);
  return {{"expired", expired}, {"not_yet_valid", early}, {"other", std::ssize(concerns) - expired - early}};
}

std::vector<std::string> lines_of(const std::vector<trust::Concern>& concerns) {
  std::vector<std::string> lines;
  for (const trust::Concern& concern : concerns) lines.push_back(concern.text());
  return lines;
}

Json histogram_of(const Status& status, const HistogramSeries& series) {
  Histogram sum{};
  if (status.ended) sum.add(series.of(*status.ended));
  for (const WorkerStatus& worker : status.workers)
    if (worker.counters) sum.add(series.of(*worker.counters));
  Json one = {{"name", series.name}, {"label", series.label}, {"value", series.value}, {"buckets", Json::array()}};
  for (const auto& bucket : sum.buckets) one["buckets"].push_back(bucket.load());
  one["nanoseconds"] = sum.nanoseconds.load();
  return one;
}

// The numbers of the listener with this name, in all generations.
Json listener_of(const Status& status, const ListenerStatus& listener) {
  uint64_t connections = 0, accepted = 0;
  for (const WorkerStatus& worker : status.workers) {
    if (!worker.counters || !worker.config) continue;
    for (size_t i = 0; i < worker.config->listeners.size(); i++) {
      if (worker.config->listeners[i].name != listener.name) continue;
      connections += worker.counters->listeners[i].connections.load(std::memory_order_relaxed);
      accepted += worker.counters->listeners[i].accepted.load(std::memory_order_relaxed);
    }
  }
  if (status.ended_accepted)
    if (const auto ended = status.ended_accepted->find(listener.name); ended != status.ended_accepted->end())
      accepted += ended->second;
  return {{"name", listener.name},
          {"bind", listener.bind},
          {"connections", connections},
          {"connections_accepted", accepted}};
}

}  // namespace

std::string names_of(const std::vector<Config::Broker>& brokers) {
  if (brokers.size() == 1) return brokers[0].at.host;
  std::string names;
  for (const auto& [at, name, authorities] : brokers)
    names.append(names.empty() ? "" : ", ").append(at.host).append(":").append(std::to_string(at.port));
  return names;
}

std::vector<std::string> addresses_of(const std::vector<Config::Broker>& brokers) {
  std::vector<std::string> addresses;
  for (const auto& broker : brokers) addresses.push_back(broker.at.host + ":" + std::to_string(broker.at.port));
  return addresses;
}

KeydState keyd_state(const Status& status) {
  const auto any = [&](Counters::Number Counters::*number) {
    return std::any_of(status.workers.begin(), status.workers.end(), [&](const WorkerStatus& worker) {
      return worker.counters && (worker.counters->*number).load(std::memory_order_relaxed) != 0;
    });
  };
  if (any(&C::keyd_degraded)) return KeydState::degraded;
  if (any(&C::keyd_notary_away)) return KeydState::without_notary;
  return any(&C::keyd_away) ? KeydState::away : KeydState::serving;
}

const char* name(KeydState state) {
  switch (state) {
    case KeydState::serving: return "serving";
    case KeydState::degraded: return "degraded";
    case KeydState::without_notary: return "without a notary";
    case KeydState::away: return "away";
  }
  return "?";
}

uint64_t sum(const Status& status, const Series& series) {
  uint64_t value = series.total && status.ended ? series.of(*status.ended) : 0;
  for (const WorkerStatus& worker : status.workers)
    if (worker.counters) value += series.of(*worker.counters);
  return value;
}

void add_ended(Counters& ended, const Counters& counted) {
  for (const Series& series : all_series())
    if (series.total) count(series.in(ended), series.of(counted));
  for (const HistogramSeries& series : all_histograms()) series.in(ended).add(series.of(counted));
}

std::string service_status(const Status& status, uint64_t connections, std::string_view waits_for) {
  size_t workers = 0, quarantined = 0;
  std::set<int> older;
  for (const WorkerStatus& worker : status.workers) {
    if (worker.generation < status.generation) older.insert(worker.generation);
    if (worker.generation != status.generation) continue;
    workers++;
    quarantined += std::string_view(worker.state) == "quarantined";
  }
  std::string text = "STATUS=" + std::to_string(workers) + " workers, " + std::to_string(connections) +
                     " connections, generation " + std::to_string(status.generation);
  if (quarantined > 0) text += "; " + std::to_string(quarantined) + " workers in quarantine: they died too often";
  if (!older.empty()) text += " (" + std::to_string(older.size()) + " older still have sessions)";
  if (!status.paused.empty()) text += "; paused: " + std::to_string(status.paused.size()) + " listeners";
  if (const KeydState keyd = keyd_state(status); keyd != KeydState::serving)
    text.append("; keyd is ").append(name(keyd));
  if (!waits_for.empty()) text.append("; waits: ").append(waits_for);
  return text;
}

std::string to_json(const Status& status) {
  Json all = {{"version", MQTT_RELAY_VERSION},
              {"pid", getpid()},
              {"bind", status.bind},
              {"remote", status.remote},
              {"keyd", name(keyd_state(status))},
              {"generation", status.generation},
              {"reloads", status.reloads},
              {"failed_reloads", status.failed_reloads},
              {"paused", status.paused},
              {"trust", lines_of(status.trust)},
              {"trust_concerns", counts_of(status.trust)},
              {"total", Json::object()},
              {"workers", Json::array()},
              {"connectors", Json::array()}};
  all["listeners"] = Json::array();
  all["brokers"] = status.brokers;
  all["expiries"] = Json::array();
  for (const trust::Expiry& expiry : status.expiries)
    all["expiries"].push_back(
        {{"kind", name(expiry.kind)}, {"file", expiry.file}, {"subject", expiry.subject}, {"at", expiry.at}});
  all["histograms"] = Json::array();
  for (const HistogramSeries& series : all_histograms()) all["histograms"].push_back(histogram_of(status, series));
  for (const ListenerStatus& listener : status.listeners) all["listeners"].push_back(listener_of(status, listener));
  if (status.monitor)
    all["monitor"] = {
        {"pid", status.monitor->pid}, {"state", status.monitor->state}, {"restarts", status.monitor->restarts}};
  for (const Series& series : all_series()) put(all["total"], series, sum(status, series));
  for (const WorkerStatus& worker : status.workers) {
    Json& one = all["workers"].emplace_back(Json{{"worker", worker.worker},
                                                 {"generation", worker.generation},
                                                 {"pid", worker.pid},
                                                 {"state", worker.state},
                                                 {"restarts", worker.restarts}});
    if (!worker.counters) continue;
    for (const Series& series : all_series()) put(one, series, series.of(*worker.counters));
  }
  for (const ConnectorStatus& connector : status.connectors)
    all["connectors"].push_back({{"generation", connector.generation},
                                 {"pid", connector.pid},
                                 {"state", connector.state},
                                 {"restarts", connector.restarts}});
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace relayd
