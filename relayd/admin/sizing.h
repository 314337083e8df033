// How many gateways a fleet needs, and what each must have: arithmetic only, from costs that tests/bench/run measures.
//
// The model: devices spread evenly over the gateways that are up. Messages and connections take processor time; what
// messages leave free of `load` of the cores is there for connections, but one thread of keyd, through which each
// connection goes, has one core at most. sizing.md explains it for operators.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/units.h"

namespace relayd::admin {

// ---- what things cost

struct Cost {
  std::string_view name;  // ends with its unit
  double value;
  std::string_view what;
};

// The only place of these figures. sizing.md shows the same ones (tests/documents), and `tests/bench/run --sizing`
// measures them on another machine. Of all processes of a gateway together; medians.
inline constexpr std::string_view kMeasured = "November 2026, two cores of an AMD EPYC, Linux 6.18, release build";
inline constexpr Cost kCosts[] = {
    {"connection_new_us", 1500, "processor time of a connection whose certificates the worker has not seen before"},
    {"connection_known_us", 980, "the same, if it has: its last 32,768 devices"},
    {"connection_thread_us", 240, "the part of it that one thread of keyd does"},
    {"message_us", 19, "processor time of a message, QoS 1 with its PUBACK, that wakes the worker"},
    {"message_kib_us", 1.4, "the same for each KiB of payload"},
    {"session_user_kib", 8.8, "memory of an idle session in the workers"},
    {"session_kernel_kib", 5.5, "memory of its two sockets in the kernel"},
    {"worker_mib", 1.5, "memory of a worker without sessions"},
    {"base_mib", 14, "memory of keyd, the supervisor and the connector"},
    {"ports", 28232, "sessions from one source address to one remote address: net.ipv4.ip_local_port_range"},
};
enum CostIndex {
  connection_new_us,
  connection_known_us,
  connection_thread_us,
  message_us,
  message_kib_us,
  session_user_kib,
  session_kernel_kib,
  worker_mib,
  base_mib,
  ports,
  kCostCount
};
static_assert(std::size(kCosts) == kCostCount);
using Costs = std::array<double, kCostCount>;
Costs measured_costs();

// ---- the question

struct FleetSize {
  uint64_t devices = 0;
  std::optional<uint64_t> nodes;         // nullopt: as many as are needed, and `spare`
  std::optional<uint64_t> spare;         // nodes that may be away; nullopt: one, or none if there is one node only
  uint64_t cores = 1;                    // of a node
  double messages_per_second = 0;        // of all devices, in both directions together
  uint64_t message_bytes = 64;           // payload
  double known = 0;                      // share of devices that their worker has seen before, 0 to 1
  common::Milliseconds within{600'000};  // all devices are to be connected again
  uint64_t remote_addresses = 1;         // of the remote brokers together
  double load = 0.6;                     // share of the cores that may be busy, over 0 to 1
  Costs costs = measured_costs();
};
inline constexpr uint64_t kMostDevices = 1'000'000'000, kMostNodes = 1000, kMostCores = 1024;

// ---- the answer

// What each of `nodes` nodes that are up has to do. Figures are for one node.
struct NodeSize {
  uint64_t nodes = 0, devices = 0;
  double memory_bytes = 0;
  double message_cores = 0;
  double connections_per_second = 0;  // 0: messages take all processor time that may be used
  bool one_thread = false;            // keyd's thread limits that, not the number of cores
  double reconnect_seconds = 0;       // until all devices are connected again; infinity without connections_per_second
  uint64_t source_addresses = 0;      // towards the remote brokers
  uint64_t haproxy_addresses = 0;     // of HAProxy, if one is before the gateways
  uint64_t descriptors = 0;           // of each worker
  std::string lacks;                  // why that many nodes are too few; "" if they are enough
};

// Values for the configuration of each node, for the time when `spare` nodes are away.
struct NodeSettings {
  uint64_t workers = 0, max_connections = 0, max_conn_rate = 0, limit_nofile = 0;
  bool nofile_as_shipped = false;
};

struct Sizing {
  NodeSize all, away;  // with all nodes, with `spare` nodes away
  NodeSettings settings;
};

// Throws common::CommandFailed if spare nodes are as many as nodes, or if kMostNodes nodes are too few.
Sizing size_of(const FleetSize& fleet);

// Reads "NAME=VALUE" into `costs`. "": done; otherwise what is wrong.
std::string set_cost(Costs& costs, std::string_view text);

}  // namespace relayd::admin
