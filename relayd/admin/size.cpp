#include "relayd/admin/size.h"

#include <charconv>
#include <cmath>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <thread>

#include "common/config.h"
#include "common/operator/command_line.h"
#include "relayd/admin/notes.h"

namespace relayd::admin {
namespace {

using common::Colour, common::grouped, common::padded;
using Json = nlohmann::ordered_json;

constexpr char kDurations[] = "a duration over zero with its unit, such as \"90s\", \"10m\" or \"1h\"";
constexpr char kSizes[] = "a size of at most 256MB with its unit, such as \"64B\" or \"1KB\"";
constexpr uint64_t kMostMessage = 256 * 1024 * 1024;  // MQTT's own limit

// ---- the command line

// An option that `read` takes into the line; false: the text is wrong, and the error says what is allowed.
void add(CLI::App& command, const std::string& name, const std::string& type, const std::string& what,
         const std::string& allowed, const std::function<bool(const std::string&)>& read) {
  command
      .add_option_function<std::string>(
          name,
          [=](const std::string& text) {
            if (!read(text)) throw CLI::ValidationError(name, "found \"" + text + "\"; allowed: " + allowed);
          },
          what)
      ->type_name(type);
}

// Digits only: CLI11 would take 0x10 and 1e3.
std::optional<double> number_in(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != text.npos) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

void add_count(CLI::App& command, const std::string& name, const std::string& what, uint64_t least, uint64_t most,
               const std::function<void(uint64_t)>& take) {
  add(command, name, "N", what, "a whole number from " + std::to_string(least) + " to " + std::to_string(most),
      [=](const std::string& text) {
        const auto value = text.find('.') == text.npos ? number_in(text) : std::nullopt;
        const bool good = value && *value >= static_cast<double>(least) && *value <= static_cast<double>(most);
        if (good) take(static_cast<uint64_t>(*value));
        return good;
      });
}

void add_share(CLI::App& command, const std::string& name, const std::string& what, bool zero, double& share) {
  add(command, name, "SHARE", what, zero ? "a number from 0 to 1" : "a number over 0, 1 at most",
      [&share, zero](const std::string& text) {
        const auto value = number_in(text);
        const bool good = value && *value <= 1 && (zero || *value > 0);
        if (good) share = *value;
        return good;
      });
}

// ---- the table

std::string with_digits(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

std::string memory_text(double bytes) {
  constexpr double kGib = 1024.0 * 1024 * 1024;
  return bytes < kGib ? grouped(static_cast<uint64_t>(std::ceil(bytes / kGib * 1024))) + " MB"
                      : with_digits(bytes / kGib, 1) + " GB";
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds)) return "never";
  if (seconds < 120) return grouped(static_cast<uint64_t>(std::ceil(seconds))) + " s";
  if (seconds < 7200) return with_digits(seconds / 60, 1) + " min";
  return with_digits(seconds / 3600, 1) + " h";
}

using Row = std::pair<std::string, std::string (*)(const NodeSize&)>;
const Row kRows[] = {
    {"devices", [](const NodeSize& node) { return grouped(node.devices); }},
    {"memory", [](const NodeSize& node) { return memory_text(node.memory_bytes); }},
    {"cores for the messages", [](const NodeSize& node) { return with_digits(node.message_cores, 2); }},
    {"new connections a second",
     [](const NodeSize& node) {
       return grouped(static_cast<uint64_t>(node.connections_per_second)) + (node.one_thread ? " *" : "");
     }},
    {"all devices back after", [](const NodeSize& node) { return duration_text(node.reconnect_seconds); }},
    {"source addresses to the remote", [](const NodeSize& node) { return grouped(node.source_addresses); }},
    {"addresses of HAProxy, if there is one", [](const NodeSize& node) { return grouped(node.haproxy_addresses); }},
    {"descriptors of a worker", [](const NodeSize& node) { return grouped(node.descriptors); }},
};

void show_settings(const Sizing& sizing, std::ostream& out, const common::Screen& screen) {
  const NodeSettings& settings = sizing.settings;
  out << "\n" << screen.paint(Colour::bold, "SETTINGS OF EACH NODE") << "\n";
  out << "  workers                   " << settings.workers << "\n";
  out << "  listener.max_connections  " << settings.max_connections << "\n";
  out << "  listener.max_conn_rate    \"" << settings.max_conn_rate << "/s\"\n";
  if (const uint64_t addresses = sizing.away.source_addresses; addresses > 1)
    out << "  remote.bind               " << addresses << " addresses\n";
  out << "  LimitNOFILE=              " << settings.limit_nofile << (settings.nofile_as_shipped ? ", as shipped" : "")
      << "\n";
}

void show(const FleetSize& fleet, const Sizing& sizing, std::ostream& out, const common::Screen& screen) {
  const NodeSize& all = sizing.all;
  const NodeSize& away = sizing.away;
  const bool both = away.nodes != all.nodes;
  out << common::counted(fleet.devices, "device") << " on " << common::counted(all.nodes, "node") << " with "
      << common::counted(fleet.cores, "core") << " each";
  if (both) out << ", of which " << all.nodes - away.nodes << " may be away";
  out << "\n\n";
  const auto line = [&](const std::string& name, const std::string& left, const std::string& right) {
    std::string text = padded(name, 39) + (both ? padded(left, 16) + right : left);
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  out << screen.paint(Colour::bold, line("EACH NODE", "all " + grouped(all.nodes), grouped(away.nodes) + " left"))
      << "\n";
  for (const auto& [name, value] : kRows) out << line(name, value(all), value(away)) << "\n";
  if (all.one_thread || away.one_thread)
    out << "* as many as one thread of keyd can do; more nodes help, more cores don't\n";
  if (!away.lacks.empty()) out << "\n" << screen.paint(Colour::red, "too few nodes: " + away.lacks) << "\n";
  show_settings(sizing, out, screen);
}

// ---- JSON

Json json_of(const NodeSize& node) {
  Json json = {{"nodes", node.nodes},
               {"devices", node.devices},
               {"memory_bytes", static_cast<uint64_t>(std::ceil(node.memory_bytes))},
               {"message_cores", node.message_cores},
               {"connections_per_second", static_cast<uint64_t>(node.connections_per_second)},
               {"limited_by", node.one_thread ? "thread of keyd" : "cores"},
               {"reconnect_seconds", nullptr},
               {"source_addresses", node.source_addresses},
               {"haproxy_addresses", node.haproxy_addresses},
               {"descriptors_per_worker", node.descriptors},
               {"lacks", node.lacks}};
  if (std::isfinite(node.reconnect_seconds)) json["reconnect_seconds"] = node.reconnect_seconds;
  return json;
}

Json json_of(const FleetSize& fleet, const Sizing& sizing) {
  Json costs = Json::object();
  for (size_t i = 0; i < fleet.costs.size(); i++) costs[std::string(kCosts[i].name)] = fleet.costs[i];
  return {{"devices", fleet.devices},
          {"cores", fleet.cores},
          {"costs", costs},
          {"all", json_of(sizing.all)},
          {"away", json_of(sizing.away)},
          {"settings",
           {{"workers", sizing.settings.workers},
            {"max_connections", sizing.settings.max_connections},
            {"max_conn_rate", std::to_string(sizing.settings.max_conn_rate) + "/s"},
            {"remote_bind_addresses", sizing.away.source_addresses},
            {"limit_nofile", sizing.settings.limit_nofile}}}};
}

}  // namespace

void define_size(CLI::App& app, SizeLine& line) {
  CLI::App& size = *common::add_command(app, "size", kSizeNotes);
  FleetSize& fleet = line.fleet;
  fleet.cores = std::clamp<uint64_t>(std::thread::hardware_concurrency(), 1, kMostCores);
  add_count(size, "--devices", "Of the whole fleet", 1, kMostDevices, [&](uint64_t n) { fleet.devices = n; });
  size.get_option("--devices")->required();
  add_count(size, "--nodes", "Gateways; default: as many as are needed", 1, kMostNodes,
            [&](uint64_t n) { fleet.nodes = n; });
  add_count(size, "--spare", "Of these, may be away; default 1", 0, kMostNodes - 1,
            [&](uint64_t n) { fleet.spare = n; });
  add_count(size, "--cores", "Of each node; default: this machine's", 1, kMostCores,
            [&](uint64_t n) { fleet.cores = n; });
  add(size, "--messages-per-second", "X", "Of the whole fleet; default 0", "a number from 0 to 1000000000",
      [&](const std::string& text) {
        const auto value = number_in(text);
        if (value) fleet.messages_per_second = *value;
        return value && *value <= 1e9;
      });
  add(size, "--message-size", "SIZE", "Of a payload; default 64B", kSizes, [&](const std::string& text) {
    const auto value = common::parse_size(text);
    if (value) fleet.message_bytes = *value;
    return value && *value <= kMostMessage;
  });
  add_share(size, "--known", "Devices that their worker has seen before; default 0", true, fleet.known);
  add(size, "--reconnect-within", "TIME", "After this, all are connected; default 10m", kDurations,
      [&](const std::string& text) {
        const auto value = common::parse_duration(text);
        if (value) fleet.within = *value;
        return value && value->count() > 0;
      });
  add_count(size, "--remote-addresses", "Of the remote brokers; default 1", 1, 1000,
            [&](uint64_t n) { fleet.remote_addresses = n; });
  add_share(size, "--load", "Of the cores, at most busy; default 0.6", false, fleet.load);
  size.add_option_function<std::vector<std::string>>(
          "--cost",
          [&fleet](const std::vector<std::string>& texts) {
            for (const std::string& text : texts)
              if (const std::string wrong = set_cost(fleet.costs, text); !wrong.empty())
                throw CLI::ValidationError("--cost", wrong);
          },
          "A figure of your own, from tests/bench/run --sizing")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  size.add_flag("--json", line.json, "JSON instead of a table; a pipe always gets JSON");
}

int run_size(const SizeLine& line, std::ostream& out, const common::Screen& screen) {
  const Sizing sizing = size_of(line.fleet);
  if (line.json || !screen.terminal) out << json_of(line.fleet, sizing).dump(2) << "\n";
  else show(line.fleet, sizing, out, screen);
  return sizing.away.lacks.empty() ? 0 : common::kExitFailed;
}

}  // namespace relayd::admin
