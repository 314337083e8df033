#include "relayd/admin/top_model.h"

#include <algorithm>
#include <tuple>

#include "relayd/admin/texts.h"
#include "relayd/overview/readiness.h"

namespace relayd::admin {
namespace {

TopWorker worker_of(const nlohmann::json& worker) {
  const auto number = [&](const char* name) { return worker.value(name, uint64_t{0}); };
  return {.worker = number("worker"),
          .generation = number("generation"),
          .state = worker.at("state").get<std::string>(),
          .sessions = number("sessions"),
          .connections = number("connections"),
          .memory = number("memory_bytes"),
          .waits = number("fibers"),
          .restarts = number("restarts")};
}

std::vector<TopRate> rates_of(const overview::View& view) {
  return {{"sessions_started_per_second", view.rate("sessions_started")},
          {"handshakes_per_second", view.times_rate("tls_handshake_duration_seconds", "device")},
          {"handshakes_failed_per_second", view.rate("handshakes_failed")},
          {"messages_up_per_second", view.rate("messages", "up")},
          {"messages_down_per_second", view.rate("messages", "down")},
          {"bytes_up_per_second", view.rate("bytes", "up")},
          {"bytes_down_per_second", view.rate("bytes", "down")}};
}

void put(Json& object, const char* name, std::optional<double> value) {
  if (value) object[name] = *value;
}

Json json_of(const overview::Timing& timing) {
  Json one = {{"of", timing.of}, {"count", timing.count}};
  put(one, "per_second", timing.rate);
  put(one, "median", timing.median);
  put(one, "p99", timing.most);
  return one;
}

Json json_of(const DeviceSession& device) {
  Json one = {{"session", device.session}};
  if (!device.client_id.empty()) one["client_id"] = device.client_id;
  one.update({{"device", device.address}, {"state", device.state}});
  if (!device.route.empty()) one["route"] = device.route;
  one.update({{"seconds", device.seconds}, {"bytes", device.bytes}, {"messages", device.messages}});
  put(one, "bytes_up_per_second", device.bytes_up);
  put(one, "bytes_down_per_second", device.bytes_down);
  put(one, "messages_per_second", device.messages_rate);
  return one;
}

}  // namespace

TopModel top_model(const overview::View& view) {
  TopModel model{.version = view.now.at("version").get<std::string>(),
                 .bind = view.now.at("bind").get<std::string>(),
                 .remote = view.now.at("remote").get<std::string>(),
                 .why_not_ready = overview::why_not_ready(view.now),
                 .clock = view.clock,
                 .seconds = view.before ? view.seconds : 0,
                 .concerns = overview::concerns(view),
                 .headlines = overview::headlines(view),
                 .sessions = view.total("sessions"),
                 .connections = view.total("connections"),
                 .rates = rates_of(view),
                 .workers = {},
                 .keyd = overview::keyd_timings(view),
                 .timings = overview::device_timings(view),
                 .refusals = overview::refusals(view)};
  for (const auto& worker : view.now.at("workers")) model.workers.push_back(worker_of(worker));
  std::ranges::stable_sort(model.refusals, std::greater<>(), [](const overview::Refusal& refusal) {
    return std::tuple(refusal.rate.value_or(0), refusal.count);
  });
  return model;
}

std::string top_line(const TopSight& sight) {
  const TopModel& model = sight.model;
  Json line = {{"time", time_text(model.clock)}, {"ready", model.why_not_ready.empty()}};
  if (!model.why_not_ready.empty()) line["why_not"] = model.why_not_ready;
  line["seconds"] = model.seconds;
  line["concerns"] = model.concerns;
  line.update({{"connections", model.connections}, {"sessions", model.sessions}});
  for (const auto& [name, rate] : model.rates) put(line, name, rate);
  for (const char* name : {"keyd", "times", "workers", "refused", "devices"}) line[name] = Json::array();
  for (const auto& timing : model.keyd) line["keyd"].push_back(json_of(timing));
  for (const auto& timing : model.timings) line["times"].push_back(json_of(timing));
  for (const TopWorker& worker : model.workers)
    line["workers"].push_back({{"worker", worker.worker},
                               {"generation", worker.generation},
                               {"state", worker.state},
                               {"sessions", worker.sessions},
                               {"connections", worker.connections},
                               {"memory_bytes", worker.memory},
                               {"restarts", worker.restarts}});
  for (const auto& [where, cause, count, rate] : model.refusals) {
    line["refused"].push_back({{"where", where}, {"cause", cause}, {"count", count}});
    put(line["refused"].back(), "per_second", rate);
  }
  for (const DeviceSession& device : sight.devices) line["devices"].push_back(json_of(device));
  return line.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

}  // namespace relayd::admin
