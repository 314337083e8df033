#include "relayd/admin/top_sections.h"

#include <algorithm>
#include <array>

#include "relayd/admin/texts.h"
#include "relayd/overview/numbers.h"

namespace relayd::admin {
namespace {

using overview::grouped, overview::in_bytes, overview::shown_rate, overview::shown_time;

constexpr std::array kHelp{
    "h ?      this help, or back",
    "q        quit",
    "s        sort the devices by the next of these:",
    "1        bytes a second",
    "2        messages a second",
    "3        bytes since they connected",
    "4        age, the newest first",
    "5        client id",
    "p space  pause, or go on: nothing is asked meanwhile",
    "+ -      ask less often, or more often",
    "^L       paint the screen anew",
    "^Z       leave for a while; fg comes back",
    "",
    "Rates are of the last interval; times of it, too, or since",
    "relayd's start if nothing happened in it. Sessions of devices",
    "are listed less often if there are thousands, so that asking",
    "costs the workers next to nothing. One device: mqtt-relay",
    "session ID, trace CLIENT_ID, explain CLIENT_ID.",
};

Look look_of(const std::string& state) {
  const auto mood = overview::mood_of(state);
  return mood == overview::Mood::good ? Look::good : mood == overview::Mood::bad ? Look::bad : Look::warn;
}

// "14:13:20 UTC"
std::string time_of_day(int64_t clock) { return overview::moment(clock).substr(sizeof "2026-09-21"); }

void add_ready(Area& area, const TopModel& model) {
  const std::string ready = "Ready: new devices are accepted";
  double rate = 0;
  for (const overview::Refusal& refusal : model.refusals) rate += refusal.rate.value_or(0);
  area.put(0, -1, ready, Look::good);
  if (rate > 0)
    area.put_right(static_cast<int>(ready.size()) + 2, -1, shown_rate(rate) + "/s refused or failed", Look::bad);
  area.next();
}

std::vector<TopWorker> worst_first(std::vector<TopWorker> workers) {
  std::ranges::stable_sort(workers, {}, [](const TopWorker& worker) {
    return worker.state != "serving" ? 0 : worker.restarts > 0 ? 1 : 2;
  });
  return workers;
}

std::string name_of(const TopWorker& worker) {
  return grouped(worker.worker) + " of generation " + grouped(worker.generation);
}

std::vector<Cell> cells_of(const TopWorker& worker, bool all) {
  const Look look = look_of(worker.state), restarts = worker.restarts > 0 ? Look::warn : Look::plain;
  if (!all)
    return {{grouped(worker.worker), restarts},
            {worker.state, look},
            {grouped(worker.sessions)},
            {in_bytes(static_cast<double>(worker.memory))}};
  return {{name_of(worker)},
          {worker.state, look},
          {grouped(worker.sessions)},
          {grouped(worker.connections)},
          {in_bytes(static_cast<double>(worker.memory))},
          {grouped(worker.waits)},
          {grouped(worker.restarts), restarts}};
}

std::string by(DeviceOrder order) {
  constexpr std::array kWords{"bytes/s", "messages/s", "bytes", "age, newest first", "client id"};
  return kWords.at(static_cast<size_t>(order));
}

void add_devices_title(Area& area, const TopSight& sight, const TopChoice& choice) {
  std::string title = "BUSIEST DEVICES, BY " + by(choice.order);
  if (choice.order == DeviceOrder::age || choice.order == DeviceOrder::client)
    title = "DEVICES, BY " + by(choice.order);
  std::string of = grouped(sight.all_sessions) + (sight.all_sessions == 1 ? " session" : " sessions");
  if (sight.listed < sight.all_sessions) of = grouped(sight.listed) + " of " + of;
  if (sight.list_seconds > choice.interval) of += ", every " + std::to_string(sight.list_seconds) + " s";
  area.put(0, -1, title, Look::bold);
  area.put(static_cast<int>(title.size()) + 2, -1, of, Look::dim);
  area.next();
}

std::string bytes_of(std::optional<double> rate) { return rate ? in_bytes(*rate) : "–"; }

std::vector<Column> device_columns(int width) {
  std::vector<Column> columns{{"CLIENT ID", 0}};
  if (width >= kWidest) columns.push_back({"SESSION", 16});
  if (width >= kVeryWide) columns.push_back({"DEVICE", 22});
  if (width >= kWide) columns.insert(columns.end(), {{"STATE", 10}, {"ROUTE", 8}, {"AGE", 7, true}});
  columns.insert(columns.end(), {{"↑ BYTES/s", 9, true}, {"↓ BYTES/s", 9, true}});
  if (width >= kWide) columns.insert(columns.end(), {{"MSG/s", 6, true}, {"BYTES", 8, true}});
  return columns;
}

std::vector<Cell> cells_of(const DeviceSession& device, int width) {
  const bool has_id = !device.client_id.empty();
  std::vector<Cell> cells{{has_id ? device.client_id : "(" + device.address + ")", has_id ? Look::plain : Look::dim}};
  if (width >= kWidest) cells.push_back({device.session});
  if (width >= kVeryWide) cells.push_back({device.address});
  if (width >= kWide) cells.insert(cells.end(), {{device.state}, {device.route}, {age(device.seconds)}});
  cells.insert(cells.end(), {{bytes_of(device.bytes_up)}, {bytes_of(device.bytes_down)}});
  if (width >= kWide)
    cells.insert(cells.end(), {{shown_rate(device.messages_rate)}, {in_bytes(static_cast<double>(device.bytes))}});
  return cells;
}

}  // namespace

void add_head(Area& area, const TopSight& sight, const TopChoice& choice) {
  const TopModel& model = sight.model;
  const std::string when = (choice.paused ? "PAUSED  " : "") + overview::moment(model.clock);
  const int width = static_cast<int>(when.size());
  const bool fits = area.columns() >= width + 30;
  area.put(0, fits ? area.columns() - width - 1 : -1,
           (choice.paused && !fits ? "PAUSED  mqtt-relay " : "mqtt-relay ") + model.version + "  " + model.bind +
               " → " + model.remote,
           Look::bar);
  if (fits) area.put(area.columns() - width, width, when, Look::bar);
  area.next();
}

void add_state(Area& area, const TopSight& sight) {
  if (!sight.away.empty())
    area.line("relayd doesn't answer since " + time_of_day(sight.away_since) + "; what follows is of " +
                  time_of_day(sight.model.clock),
              Look::bad);
  else if (!sight.model.why_not_ready.empty()) area.line("Not ready: " + sight.model.why_not_ready, Look::bad);
  else add_ready(area, sight.model);
}

void add_concerns(Area& area, const TopSight& sight, int height) {
  std::vector<std::string> all = sight.model.concerns;
  if (!sight.away.empty()) all.insert(all.begin(), sight.away);
  all.insert(all.end(), sight.list_problems.begin(), sight.list_problems.end());
  const auto most = static_cast<size_t>(std::clamp(height / 8, 1, 6));
  constexpr int kRoomForMore = 60;
  for (size_t i = 0; i < std::min(all.size(), most); i++) {
    const size_t more = all.size() - i - 1;
    const bool last = i + 1 == most && more > 0 && area.columns() >= kRoomForMore;
    const std::string rest = last ? " (and " + grouped(more) + " more)" : "";
    const int width = static_cast<int>(rest.size());
    area.put(0, area.columns() - width, "! " + all[i], Look::warn);
    if (last) area.put(area.columns() - width, width, rest, Look::warn);
    area.next();
  }
}

void add_headlines(Area& area, const TopModel& model) {
  for (const auto& [name, value, below] : model.headlines) {
    area.put(0, 14, std::string(name), Look::dim);
    area.put_right(15, 8, value, Look::bold);
    area.put(25, -1, below);
    area.next();
  }
}

void add_workers(Area& area, const TopModel& model) {
  const bool all = area.columns() >= 68;
  Table table(area, all ? std::vector<Column>{{"WORKER", 0},
                                              {"STATE", 11},
                                              {"SESSIONS", 8, true},
                                              {"CONNECTIONS", 11, true},
                                              {"MEMORY", 8, true},
                                              {"WAIT", 4, true},
                                              {"RESTARTS", 8, true}}
                        : std::vector<Column>{{"WORKER", 6}, {"STATE", 0}, {"SESSIONS", 8, true}, {"MEMORY", 8, true}});
  const auto workers = worst_first(model.workers);
  const size_t rows = static_cast<size_t>(std::max(area.left(), 0));
  const size_t shown = workers.size() <= rows ? workers.size() : rows - std::min<size_t>(rows, 1);
  for (size_t i = 0; i < shown; i++) table.row(cells_of(workers[i], all));
  if (shown == workers.size()) return;
  const auto bad = std::count_if(workers.begin() + static_cast<std::ptrdiff_t>(shown), workers.end(),
                                 [](const TopWorker& worker) { return worker.state != "serving"; });
  const std::string more = grouped(workers.size() - shown) + " more";
  area.line(bad == 0 ? more + ", all serving" : more + ", " + grouped(static_cast<uint64_t>(bad)) + " not serving",
            bad == 0 ? Look::dim : Look::bad);
}

void add_refusals(Area& area, const TopModel& model) {
  if (model.refusals.empty()) return area.line("Nothing was refused, nothing failed.", Look::dim);
  if (area.left() == 1) {
    const auto& [where, cause, count, rate] = model.refusals.front();
    return area.line(std::string(where) + ": " + cause + ", " + shown_rate(rate) + " a second",
                     rate.value_or(0) > 0 ? Look::bad : Look::plain);
  }
  Table table(area, {{"REFUSED AND FAILED", 18}, {"CAUSE", 0}, {"COUNT", 9, true}, {"A SECOND", 8, true}});
  for (size_t i = 0; i < model.refusals.size() && area.left() > 0; i++) {
    const auto& [where, cause, count, rate] = model.refusals[i];
    if (area.left() == 1 && i + 1 < model.refusals.size())
      return area.line(grouped(model.refusals.size() - i) + " more causes", Look::dim);
    const Look look = rate.value_or(0) > 0 ? Look::bad : Look::plain;
    table.row({{std::string(where), look}, {cause, look}, {grouped(count)}, {shown_rate(rate), look}});
  }
}

void add_times(Area& area, const TopModel& model) {
  Table table(area, {{"TIMES", 0}, {"A SECOND", 8, true}, {"MEDIAN", 8, true}, {"99 %", 8, true}});
  const auto add = [&](const std::string& prefix, const std::vector<overview::Timing>& all) {
    for (const auto& [of, count, rate, median, most] : all)
      table.row({{prefix + std::string(of)}, {shown_rate(rate)}, {shown_time(median)}, {shown_time(most)}});
  };
  add("keyd, ", model.keyd);
  add("", model.timings);
}

void add_devices(Area& area, const TopSight& sight, const TopChoice& choice) {
  if (area.left() <= 0) return;
  add_devices_title(area, sight, choice);
  if (sight.devices.empty()) return area.line("There is no session.", Look::dim);
  Table table(area, device_columns(area.columns()));
  for (size_t i = 0; i < sight.devices.size() && area.left() > 0; i++)
    table.row(cells_of(sight.devices[i], area.columns()));
}

void add_help(Area& area) {
  for (const char* text : kHelp) area.line(text);
}

void add_foot(Area& area, const TopChoice& choice) {
  area.put(0, -1,
           "q quit  s sort  p " + std::string(choice.paused ? "go on" : "pause") + "  +/- every " +
               std::to_string(choice.interval) + " s  h help",
           Look::bar);
}

}  // namespace relayd::admin
