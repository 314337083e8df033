#include "relayd/supervisor/status.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace relayd {
namespace {

using Json = nlohmann::ordered_json;
using C = Counters;
constexpr bool kNow = false, kTotal = true;

constexpr Series kSeries[] = {
    {"connections", "Connections of devices that are open", kNow, nullptr, nullptr, &C::connections},
    {"sessions", "Connections that have an MQTT session", kNow, nullptr, nullptr, &C::sessions},
    {"memory_bytes", "Resident memory of the worker", kNow, nullptr, nullptr, &C::memory},
    {"fibers", "Handshakes that wait for a signature of keyd", kNow, nullptr, nullptr, &C::fibers},
    {"keyd_away", "1 while the worker has no connection to keyd", kNow, nullptr, nullptr, &C::keyd_away},
    {"keyd_degraded", "1 while keyd can't write its audit, and so signs nothing", kNow, nullptr, nullptr,
     &C::keyd_degraded},
    {"connections_accepted", "Connections accepted", kTotal, nullptr, nullptr, &C::accepted},
    {"connections_shed", "Connections closed at once", kTotal, "reason", "max_connections", &C::shed_connections},
    {"connections_shed", "", kTotal, "reason", "worker_max_memory", &C::shed_memory},
    {"connections_shed", "", kTotal, "reason", "descriptors", &C::shed_descriptors},
    {"tcp_probes", "Connections that left without a byte, as health checks do", kTotal, nullptr, nullptr,
     &C::tcp_probes},
    {"handshakes_failed", "TLS handshakes of devices that failed", kTotal, nullptr, nullptr, &C::handshakes_failed},
    {"sessions_started", "Sessions that came up, by broker", kTotal, "broker", "remote", &C::remote_sessions},
    {"sessions_started", "", kTotal, "broker", "local", &C::local_sessions},
    {"local_refused", "Devices that the local broker refused by CONNACK", kTotal, nullptr, nullptr, &C::local_refused},
    {"suspicious_local", "Devices that stayed local although a key may have been meant", kTotal, "client_id",
     "impossible_file_name", &C::impossible_ids},
    {"suspicious_local", "", kTotal, "client_id", "other_spelling", &C::other_spellings},
    {"keep_alive_timeouts", "Sessions ended as the device was silent", kTotal, nullptr, nullptr,
     &C::keep_alive_timeouts},
    {"send_timeouts", "Sessions ended as a peer took nothing", kTotal, nullptr, nullptr, &C::send_timeouts},
    {"throttled", "Times that a device was read more slowly", kTotal, nullptr, nullptr, &C::throttled},
    {"log_lines_dropped", "Lines of the log dropped as nobody read standard error", kTotal, nullptr, nullptr,
     &C::log_dropped},
    {"bytes", "MQTT bytes relayed; up is from the device", kTotal, "direction", "up", &C::bytes_up},
    {"bytes", "", kTotal, "direction", "down", &C::bytes_down},
    {"messages", "PUBLISH packets relayed; up is from the device", kTotal, "direction", "up", &C::messages_up},
    {"messages", "", kTotal, "direction", "down", &C::messages_down},
};

std::vector<Series> with_arrays() {
  std::vector<Series> series(std::begin(kSeries), std::end(kSeries));
  const auto add = [&](const Series& one) { series.push_back(one); };
  for (size_t i = 0; i < kNotTls.size(); i++)
    add({"not_tls", "Failed handshakes of peers that spoke something else than TLS", kTotal, "protocol", kNotTls[i],
         nullptr, [](C& c, size_t nth) -> C::Number& { return c.not_tls[nth]; }, i});
  for (size_t i = 0; i < mqtt::kRefusals.size(); i++)
    add({"refused", "Devices refused by CONNACK", kTotal, "reason", mqtt::kRefusals[i].name.data(), nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.refused[nth]; }, i});
  for (size_t i = 0; i < mqtt::kConnackCodes.size(); i++)
    add({"remote_refused", "Devices that the remote broker refused, by the code of its CONNACK", kTotal, "code",
         mqtt::kConnackCodes[i].code.data(), nullptr,
         [](C& c, size_t nth) -> C::Number& { return c.remote_refused[nth]; }, i, mqtt::kConnackCodes[i].name.data()});
  return series;
}

void put(Json& object, const Series& series, uint64_t value) {
  if (series.label) object[series.name][series.value] = value;
  else object[series.name] = value;
}

std::vector<std::string> lines_of(const std::vector<trust::Concern>& concerns) {
  std::vector<std::string> lines;
  for (const trust::Concern& concern : concerns) lines.push_back(concern.text());
  return lines;
}

}  // namespace

const char* keyd_state(const Status& status) {
  const auto any = [&](Counters::Number Counters::*number) {
    return std::any_of(status.workers.begin(), status.workers.end(), [&](const WorkerStatus& worker) {
      return worker.counters && (worker.counters->*number).load(std::memory_order_relaxed) != 0;
    });
  };
  return any(&C::keyd_degraded) ? "degraded" : any(&C::keyd_away) ? "away" : "serving";
}

std::span<const Series> all_series() {
  static const std::vector<Series> all = with_arrays();
  return all;
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
}

std::string to_json(const Status& status) {
  Json all = {{"version", MQTT_RELAY_VERSION},
              {"pid", getpid()},
              {"bind", status.bind},
              {"remote", status.remote},
              {"keyd", keyd_state(status)},
              {"generation", status.generation},
              {"reloads", status.reloads},
              {"failed_reloads", status.failed_reloads},
              {"trust", lines_of(status.trust)},
              {"total", Json::object()},
              {"workers", Json::array()}};
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
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace relayd
