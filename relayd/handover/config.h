// Every setting of relayd.json. The supervisor reads them from the file (supervisor/config_file.h) and hands them to
// its workers as they are (plan.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/trust/policy.h"
#include "common/units.h"
#include "relayd/handover/tls_choices.h"

namespace relayd {

struct Config {
  static constexpr int kMaxWorkers = 256;

  struct Endpoint {
    std::string host;  // name or address
    uint16_t port = 0;
    bool operator==(const Endpoint&) const = default;
  };
  // A client id whose sessions end so often is banned for a while (EMQX's flapping_detect).
  struct Flapping {
    uint32_t max_count = 0;
    common::Milliseconds window_time{}, ban_time{};
    bool operator==(const Flapping&) const = default;
  };
  // What is said of connections and rates is for the whole listener; each worker has its share (share_of).
  struct Listener {
    Endpoint bind;
    bool bind_given = false;  // by the file, not by default
    std::string certfile, cacertfile, crlfile;
    bool verify_peer = true;
    trust::Policy policy;  // depth, partial_chain, crl_check
    bool fail_if_no_peer_cert = true;
    tls::Versions versions = tls::Versions::tls12_and_13;
    int backlog = 1024;
    common::Milliseconds handshake_timeout{}, idle_timeout{};
    uint32_t max_connect_size = 0, max_packet_size = 0;  // bytes
    size_t max_clientid_len = 0;                         // bytes
    size_t max_record = 0;                               // bytes of a TLS record to a device that asks for nothing
    std::optional<uint64_t> max_connections;             // nullopt: infinity
    common::Rate max_conn_rate;                          // connections accepted; beyond it they wait in the backlog
    common::Rate messages_rate, bytes_rate;              // what one device sends; beyond it is read more slowly
    common::Milliseconds send_timeout{};                 // a peer that takes no byte for so long has gone
    // Bytes kept for a peer that reads slowly. A relay stops the sender as soon as the kernel takes no more, so that
    // only what one event brought waits (tls::Runtime::kPlain, 84 KiB): only less than that makes a difference.
    size_t high_watermark = 0;
    double keepalive_multiplier = 1.5;
    bool crl_disconnect = false;  // a reload with new CRLs ends the sessions of devices that these revoke
    std::optional<Flapping> flapping_detect;
    bool operator==(const Listener&) const = default;
  };
  struct Remote {
    std::string cacertfile, crlfile;
    bool verify_peer = true;
    trust::Policy policy;  // depth, partial_chain, crl_check
    tls::Versions versions = tls::Versions::tls12_and_13;
    std::string server_name;  // for SNI and the certificate; remote_host if not set
    std::vector<std::string> alpn;
    std::vector<uint16_t> groups;  // tls::group_named
    common::Milliseconds connect_timeout{}, connack_timeout{};
    bool operator==(const Remote&) const = default;
  };

  Endpoint remote_endpoint;
  Remote remote;
  Listener listener;
  std::optional<Endpoint> local;  // nullopt: the built-in empty broker
  std::string keyd_socket;
  common::Milliseconds sign_timeout{}, shutdown_timeout{};
  int workers = 1;
  int max_restarts = 0;  // of one worker slot in restart_window
  common::Milliseconds restart_window{}, worker_watchdog{}, resolve_interval{};
  uint64_t worker_max_memory = 0;   // bytes of one worker; beyond it, new devices are turned away
  int max_generations = 0;          // that serve at the same time, after reloads
  std::string control_socket;       // empty: none
  std::optional<Endpoint> metrics;  // where /metrics is served
  common::log::Level log_level = common::log::Level::info;

  bool operator==(const Config&) const = default;
};

// Worker `number`'s part of a whole that `workers` share; the parts add up to it.
constexpr uint64_t share_of(uint64_t whole, int number, int workers) {
  const auto parts = static_cast<uint64_t>(workers);
  return whole / parts + (static_cast<uint64_t>(number) < whole % parts ? 1 : 0);
}

}  // namespace relayd
