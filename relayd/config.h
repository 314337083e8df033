// relayd.json: every setting, its default and its bounds. Read by the supervisor from a file, and once more by each
// worker from the text that it inherits. Errors are common::ConfigError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/log.h"
#include "relayd/tls/context.h"

namespace relayd {

// Settings given as flags or environment variables: they win over the file.
struct Overrides {
  std::optional<std::string> remote_host;
  std::optional<int> remote_port;
  std::optional<std::string> log_level;  // one of the file's words
};

struct Config {
  struct Endpoint {
    std::string host;  // name or address
    uint16_t port = 0;
  };
  struct Listener {
    Endpoint bind;
    std::string certfile, cacertfile, crlfile;
    bool verify_peer = true;
    bool fail_if_no_peer_cert = true;
    tls::Versions versions = tls::Versions::tls12_and_13;
    int backlog = 1024;
    common::Milliseconds handshake_timeout{}, idle_timeout{};
    uint32_t max_connect_size = 0, max_packet_size = 0;  // bytes
    size_t max_clientid_len = 0;                         // bytes
  };
  struct Remote {
    std::string cacertfile;
    bool verify_peer = true;
    tls::Versions versions = tls::Versions::tls12_and_13;
    std::string server_name;  // for SNI and the certificate; remote_host if not set
    std::vector<std::string> alpn;
    common::Milliseconds connect_timeout{}, connack_timeout{};
  };

  Endpoint remote_endpoint;
  Remote remote;
  Listener listener;
  std::optional<Endpoint> local;  // nullopt: the built-in empty broker
  std::string keyd_socket;
  common::Milliseconds sign_timeout{}, shutdown_timeout{};
  int workers = 1;
  common::log::Level log_level = common::log::Level::info;

  // `name` is the file that errors name. Checks the text only: no file that it names is opened.
  static Config parse(const std::string& text, const std::string& name, const Overrides& overrides);
};

}  // namespace relayd
