// What the supervisor gives a connector (relayd/connector), and the messages between the two.
//
// The plan is an archive (archive.h) in a sealed memfd. On the control socket (SOCK_SEQPACKET) the supervisor sends one
// kChannel for each worker process, with the descriptor, and kLogLevel; the connector sends the rest. The supervisor
// parses no address, and takes the connector's word only for a name that can't be resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/log_settings.h"
#include "relayd/handover/config.h"
#include "relayd/handover/socket_address.h"

namespace relayd {

// The executable, which is also its name in the log; and its name in `ps`, of at most 15 bytes.
inline constexpr char kConnectorProgram[] = "mqtt-relayd-connector", kConnectorName[] = "relayd-connect";

// The connector's descriptors after the standard ones.
inline constexpr int kConnectorPlanFd = 3, kConnectorControlFd = 4;

// The addresses that a connector knows, for its successor. To the supervisor they are bytes.
struct KnownAddresses {
  static constexpr size_t kMost = 1024;  // bytes of each list
  std::vector<std::string> remote;       // a list for each broker, or the one of their proxy
  std::string local;
};

struct ProxyAccess {
  Config::Proxy settings;
  std::string credentials;  // "user:password"; "": none
};

struct ConnectorPlan {
  int generation = 0, workers = 1;
  std::vector<Config::Endpoint> brokers;  // the remote ones
  Config::Strategy strategy = Config::Strategy::failover;
  std::vector<std::string> sources;  // Config::Remote::bind
  std::optional<ProxyAccess> proxy;  // to the remote brokers; their names are then not looked up here
  std::optional<Config::Endpoint> local;
  std::string certs_dir;  // Config::Remote's; "": certificates come from the devices
  std::string keyd_socket;
  // For keyd (ipc::Hello): the relayd and the generation of the workers' connections, and how long workers wait.
  uint64_t series = 0;
  common::Milliseconds sign_timeout{}, connect_timeout{}, resolve_interval{}, watchdog{};
  common::log::Settings log{};
  bool require_sandbox = false;
  KnownAddresses known;

  // Where connections to the remote brokers lead: to each broker, or all of them to the proxy.
  std::vector<Config::Endpoint> remote_places() const;

  common::Fd to_memfd() const;              // throws std::system_error if there is no memory
  static ConnectorPlan from_memfd(int fd);  // throws BadArchive; std::system_error if it can't be read
};

// From the supervisor: kChannel and a ChannelOf in this machine's byte order, with the connector's end attached. It
// replaces the worker's earlier channel.
inline constexpr char kChannel = 'C';
struct ChannelOf {
  int32_t worker = 0;
};

// From the supervisor: kLogLevel and a common::log::Level in one byte, instead of the plan's.
inline constexpr char kLogLevel = 'L';

// From the connector. kServing: it is sandboxed. kBeat: its loop runs. kNames, followed by a NamesReport: after the
// first look-up of every name, and then whenever addresses change. kDying, followed by the cause of its end.
inline constexpr char kServing = 'R', kBeat = 'B', kNames = 'N', kDying = 'E';

struct NamesReport {
  static constexpr size_t kMost = 16 * 1024;  // bytes of the message
  // A name without which no session of one kind is possible: the local broker's, the proxy's, or the first remote
  // broker's if none has an address. "": there is none.
  std::string unresolved;
  KnownAddresses known;

  std::string encode() const;
  static NamesReport decode(std::string_view message);  // BadArchive; at most KnownAddresses::kMost of each
};

// One list of KnownAddresses. addresses_in() reads what a predecessor wrote, and leaves out anything but addresses with
// this port.
std::string known_as(const std::vector<SocketAddress>& addresses);
std::vector<SocketAddress> addresses_in(const std::string& known, uint16_t port);

}  // namespace relayd
