#include "relayd/admin/sizing.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "common/nearest.h"
#include "common/operator/command_failed.h"
#include "common/operator/terminal.h"
#include "relayd/handover/config.h"

namespace relayd::admin {
namespace {

constexpr uint64_t kOtherFiles = 64;          // of a worker, as in checks_system.cpp
constexpr uint64_t kShippedNofile = 524'288;  // LimitNOFILE= of mqtt-relayd.service
constexpr uint64_t kMostNofile = 1'048'576;   // fs.nr_open, the most that LimitNOFILE= may be
constexpr uint64_t kMostSources = 64;         // of remote.bind
constexpr uint64_t kMostRate = 1'000'000;     // of max_conn_rate
constexpr double kKib = 1024, kMib = 1024 * 1024;

uint64_t parts_of(uint64_t whole, uint64_t part) { return (whole + part - 1) / part; }

uint64_t workers_of(const FleetSize& fleet) {
  return std::min(fleet.cores, static_cast<uint64_t>(Config::kMaxWorkers));
}

// A tenth more, because the kernel spreads connections over workers by a hash; in hundreds.
uint64_t max_connections_for(uint64_t devices) { return parts_of(devices * 11, 1000) * 100; }

std::string what_lacks(const NodeSize& node, const FleetSize& fleet) {
  if (node.connections_per_second <= 0) return "the messages alone take more than the cores may give";
  if (node.reconnect_seconds * 1000 > static_cast<double>(fleet.within.count()))
    return "the devices take too long to connect again";
  if (node.source_addresses > kMostSources) return "remote.bind would need more than 64 addresses";
  if (node.descriptors > kMostNofile) return "a worker would need more descriptors than fs.nr_open, 1,048,576";
  return "";
}

NodeSize with_nodes(const FleetSize& fleet, uint64_t nodes) {
  const Costs& cost = fleet.costs;
  const auto cores = static_cast<double>(fleet.cores), workers = static_cast<double>(workers_of(fleet));
  NodeSize node;
  node.nodes = nodes;
  node.devices = parts_of(fleet.devices, nodes);
  const auto devices = static_cast<double>(node.devices);
  node.memory_bytes = devices * (cost[session_user_kib] + cost[session_kernel_kib]) * kKib +
                      (workers * cost[worker_mib] + cost[base_mib]) * kMib;

  const double message = cost[message_us] + cost[message_kib_us] * static_cast<double>(fleet.message_bytes) / kKib;
  node.message_cores = fleet.messages_per_second / static_cast<double>(nodes) * message / 1e6;
  const double connection = fleet.known * cost[connection_known_us] + (1 - fleet.known) * cost[connection_new_us];
  const double by_cores = (cores * fleet.load - node.message_cores) * 1e6 / connection;
  const double by_thread = fleet.load * 1e6 / cost[connection_thread_us];
  node.one_thread = by_thread < by_cores;
  node.connections_per_second = std::clamp(std::min(by_cores, by_thread), 0.0, static_cast<double>(kMostRate));
  node.reconnect_seconds =
      node.connections_per_second > 0 ? devices / node.connections_per_second : std::numeric_limits<double>::infinity();

  const auto per_address = static_cast<uint64_t>(cost[ports]);
  node.source_addresses = parts_of(node.devices, per_address * fleet.remote_addresses);
  node.haproxy_addresses = parts_of(node.devices, per_address);
  node.descriptors = 2 * parts_of(max_connections_for(node.devices), workers_of(fleet)) + kOtherFiles;
  node.lacks = what_lacks(node, fleet);
  return node;
}

// The fewest nodes that are enough: with more nodes, each does less.
uint64_t fewest_nodes(const FleetSize& fleet) {
  uint64_t too_few = 0, enough = kMostNodes;
  if (const NodeSize most = with_nodes(fleet, kMostNodes); !most.lacks.empty())
    throw common::CommandFailed("even " + common::grouped(kMostNodes) + " nodes are too few: " + most.lacks +
                                    "; allow more by --cores, --reconnect-within, --load or --remote-addresses",
                                common::kExitFailed);
  while (enough - too_few > 1) {
    const uint64_t middle = (too_few + enough) / 2;
    (with_nodes(fleet, middle).lacks.empty() ? enough : too_few) = middle;
  }
  return enough;
}

}  // namespace

Costs measured_costs() {
  Costs costs{};
  for (size_t i = 0; i < costs.size(); i++) costs[i] = kCosts[i].value;
  return costs;
}

Sizing size_of(const FleetSize& fleet) {
  const uint64_t spare = fleet.spare.value_or(fleet.nodes == 1 ? 0 : 1);
  const uint64_t nodes = fleet.nodes ? *fleet.nodes : fewest_nodes(fleet) + spare;
  if (spare >= nodes)
    throw common::CommandFailed("found --spare " + std::to_string(spare) + " with --nodes " + std::to_string(nodes) +
                                    "; allowed: fewer spare nodes than nodes",
                                common::kExitUsage);
  Sizing sizing{.all = with_nodes(fleet, nodes), .away = with_nodes(fleet, nodes - spare), .settings = {}};
  const NodeSize& worst = sizing.away;
  sizing.settings.workers = workers_of(fleet);
  sizing.settings.max_connections = max_connections_for(worst.devices);
  sizing.settings.max_conn_rate = static_cast<uint64_t>(worst.connections_per_second);
  sizing.settings.limit_nofile = std::max(worst.descriptors, kShippedNofile);
  sizing.settings.nofile_as_shipped = worst.descriptors <= kShippedNofile;
  return sizing;
}

std::string set_cost(Costs& costs, std::string_view text) {
  const std::string found = "found \"" + std::string(text) + "\"; allowed: NAME=VALUE, ";
  const size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto cost = std::find_if(std::begin(kCosts), std::end(kCosts), [&](const Cost& c) { return c.name == name; });
  if (equals == text.npos || cost == std::end(kCosts)) {
    std::vector<std::string> names;
    for (const Cost& one : kCosts) names.emplace_back(one.name);
    const std::string near = equals == text.npos ? "" : common::nearest(name, names);
    std::string list;
    for (const std::string& one : names) list += (list.empty() ? "" : ", ") + one;
    return found + "where NAME is one of " + list + (near.empty() ? "" : "; did you mean " + near + "?");
  }
  const std::string_view digits = text.substr(equals + 1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const double least = cost->name == "ports" ? 1 : 0.001, most = 1e9;
  if (error != std::errc() || end != digits.data() + digits.size() || !(value >= least && value <= most))
    return found + "where VALUE is a number from " + (least < 1 ? "0.001" : "1") + " to 1000000000, without a unit";
  costs[static_cast<size_t>(cost - std::begin(kCosts))] = value;
  return "";
}

}  // namespace relayd::admin
