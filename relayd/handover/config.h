// Every setting of relayd.json. The supervisor reads them from the file (supervisor/config_file.h) and passes them
// unchanged to its workers (plan.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/log_settings.h"
#include "common/trust/policy.h"
#include "common/units.h"
#include "relayd/handover/network.h"
#include "relayd/handover/tls_choices.h"

namespace relayd {

struct Config {
  static constexpr int kMaxWorkers = 256;
  static constexpr size_t kMaxServerReference = 96;  // bytes
  static constexpr size_t kMaxListeners = 16;

  struct Endpoint {
    std::string host;  // name or address
    uint16_t port = 0;
    bool operator==(const Endpoint&) const = default;
  };
  // A client id whose sessions end max_count times within window_time is banned for ban_time (EMQX's flapping_detect).
  struct Flapping {
    uint32_t max_count = 0;
    common::Milliseconds window_time{}, ban_time{};
    bool operator==(const Flapping&) const = default;
  };
  // MQTT in the binary frames of a WebSocket, inside the listener's TLS (EMQX's listeners.wss.NAME.websocket).
  struct Websocket {
    std::string mqtt_path;                          // of the URL: "/mqtt"
    uint32_t max_frame_size = 0;                    // bytes of one frame's payload
    std::vector<std::string> allowed_origins = {};  // empty: any
    bool operator==(const Websocket&) const = default;
  };
  // Which of the certificate's names the client id must be: the common name, or a DNS or URI name (san).
  enum class ClientIdFrom : uint8_t { any, cn, san };
  // Limits on connections, and max_conn_rate, are for the whole listener; each worker gets its share (share_of).
  struct Listener {
    enum class Route : uint8_t { by_key, local };        // local: no key is looked up
    std::string name = "default", setting = "listener";  // in the log; in relayd.json, such as "listeners.plant"
    Route route = Route::by_key;
    Endpoint bind;
    bool bind_given = false;             // false: `bind` is the default
    std::vector<std::string> certfiles;  // at least one; the first is the default, SNI chooses the others
    std::string cacertfile, crlfile;
    bool proxy_protocol = false;  // load balancers say whose connection it is, before TLS
    common::Milliseconds proxy_protocol_timeout{};
    std::vector<Network> trusted_proxies;  // with proxy_protocol: nobody else may connect
    bool verify_peer = true;
    trust::Policy policy;  // depth, partial_chain, crl_check
    bool fail_if_no_peer_cert = true;
    tls::Versions versions = tls::Versions::tls12_and_13;
    std::vector<uint16_t> groups, ciphers;  // tls::group_named, tls::suite_named; best first
    int backlog = 1024;
    common::Milliseconds handshake_timeout{}, idle_timeout{};
    uint32_t max_connect_size = 0, max_packet_size = 0;  // bytes
    size_t max_clientid_len = 0;                         // bytes
    size_t max_record = 0;                               // bytes of a TLS record, unless the device asks for less
    std::optional<uint64_t> max_connections;             // nullopt: infinity
    common::Rate max_conn_rate;                          // connections accepted; further ones wait in the backlog
    common::Rate max_conn_rate_per_address;              // further ones are closed at once
    common::Rate messages_rate, bytes_rate;              // for each device; a faster one is read more slowly
    common::Milliseconds send_timeout{};                 // a peer that takes no byte for this time is lost
    // Bytes kept for a slow peer. The relay stops reading from the sender as soon as the kernel takes no more, so at
    // most one event's data waits (tls::Runtime::kPlain, 52 KiB). Only a value below 48 KiB lowers that.
    size_t high_watermark = 0;
    double keepalive_multiplier = 1.5;
    ClientIdFrom client_id_from = ClientIdFrom::any;
    bool local_without_key = true;  // no_key: false refuses a device that has none
    bool crl_disconnect = false;    // a reload ends the sessions of devices that its CRLs revoke
    std::optional<Flapping> flapping_detect;
    std::optional<Websocket> websocket;  // nullopt: MQTT directly in TLS
    bool operator==(const Listener&) const = default;
    std::string setting_of(const std::string& key) const { return setting + "." + key; }
    std::string setting_of_certfile(size_t number) const {
      return setting_of("certfile") + (certfiles.size() == 1 ? "" : "[" + std::to_string(number) + "]");
    }
  };
  // A remote broker: one item of remote_hosts, or remote_host.
  struct Broker {
    Endpoint at;
    std::string server_name, cacertfile;  // Remote's, unless the item has its own
    bool operator==(const Broker&) const = default;
  };
  static constexpr size_t kMaxBrokers = 8;
  // Which of several brokers a device meets, while they are well (connector/broker_order.h).
  enum class Strategy : uint8_t { failover, round_robin, hash_clientid };
  // What stands between this machine and the remote brokers (connector/proxy_talk.h).
  struct Proxy {
    enum class Type : uint8_t { http, socks5 };
    Type type = Type::http;
    Endpoint at;
    std::string credentials_file;            // "": none. Only the supervisor reads it, and only the connector gets it
    common::Milliseconds connect_timeout{};  // for the proxy's answer, once it is connected
    bool operator==(const Proxy&) const = default;
  };
  struct Remote {
    enum class Certificate : uint8_t { peer, file };
    Strategy strategy = Strategy::failover;
    std::vector<std::string> bind;  // source addresses, numeric; none: the kernel chooses
    std::optional<Proxy> proxy;
    std::string cacertfile, crlfile;
    bool verify_peer = true;
    trust::Policy policy;  // depth, partial_chain, crl_check
    tls::Versions versions = tls::Versions::tls12_and_13;
    std::string server_name;  // for SNI and the certificate's name check; "": each broker's host
    // Where the chain that a session shows comes from: from the device, or from CLIENTID.crt in certs_dir.
    Certificate certificate = Certificate::peer;
    std::string certs_dir;  // with Certificate::file
    std::vector<std::string> alpn;
    std::vector<uint16_t> groups, ciphers;  // as the listener's
    bool proxy_protocol = false;            // a PROXY header, version 2, with the device's address
    common::Milliseconds connect_timeout{}, connack_timeout{};
    bool operator==(const Remote&) const = default;
  };

  // The broker of devices without a key.
  struct LocalTls {
    std::string cacertfile, crlfile;
    std::string certfile;  // relayd's own chain, with keyd's local_keyfile; "": it shows no certificate
    bool verify_peer = true;
    trust::Policy policy;  // depth, partial_chain, crl_check
    tls::Versions versions = tls::Versions::tls12_and_13;
    std::string server_name;  // for SNI and the certificate's name check; host if not set
    std::vector<std::string> alpn;
    std::vector<uint16_t> groups;  // tls::group_named
    bool operator==(const LocalTls&) const = default;
  };
  struct Local {
    Endpoint broker;
    std::optional<LocalTls> tls;  // nullopt: plain TCP
    bool proxy_protocol = false;  // a PROXY header, version 2, with what is known of the device's TLS
    bool tap = false;             // what relayed devices publish is copied to it (session/tap.h)
    std::string tap_prefix;       // before the topics of copies
    size_t tap_queue = 0;         // bytes that wait for it in each worker
    std::string username;         // a template (username_template.h), for a CONNECT without a user name; "": none
    bool operator==(const Local&) const = default;
  };

  std::vector<Broker> brokers;  // the remote ones; none: remote_host is not set yet
  Remote remote;
  std::vector<Listener> listeners;  // 1 to kMaxListeners, with names and addresses of their own
  std::optional<Local> local;       // nullopt: the built-in empty broker
  std::string keyd_socket;
  common::Milliseconds sign_timeout{}, shutdown_timeout{};
  std::string server_reference;           // the gateway that devices should use while this one drains; "": none
  common::Milliseconds retire_timeout{};  // how long sessions may outlive a reload
  int workers = 1;
  int max_restarts = 0;  // per worker slot, within restart_window
  common::Milliseconds restart_window{}, worker_watchdog{}, resolve_interval{};
  uint64_t worker_max_memory = 0;  // bytes per worker; a worker above it closes new connections at once
  bool require_sandbox = false;
  bool reload_on_change = false;
  int max_generations = 0;          // most that serve at the same time, after reloads
  std::string control_socket;       // empty: none
  std::optional<Endpoint> metrics;  // where /metrics is served
  common::log::Settings log;

  std::string local_certfile() const { return local && local->tls ? local->tls->certfile : ""; }
  bool operator==(const Config&) const = default;
};

// The part of `whole` that worker `number` of `workers` gets; the parts add up to `whole`.
constexpr uint64_t share_of(uint64_t whole, int number, int workers) {
  const auto parts = static_cast<uint64_t>(workers);
  return whole / parts + (static_cast<uint64_t>(number) < whole % parts ? 1 : 0);
}

}  // namespace relayd
