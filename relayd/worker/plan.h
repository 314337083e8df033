// What the supervisor hands a worker at its birth, and what the two say to each other afterwards.
//
// The plan is one JSON document in a sealed memfd: the text of the configuration, the PEM texts, the addresses. The
// control socket (SOCK_SEQPACKET) carries the supervisor's JSON orders one way and Ready the other way; a worker
// trusts its supervisor, the supervisor believes a worker nothing but that single byte.
#pragma once

#include <string>
#include <vector>

#include "common/fd.h"
#include "relayd/config.h"
#include "relayd/socket_address.h"

namespace relayd {

// Descriptors that a worker finds open, behind the standard ones.
inline constexpr int kPlanFd = 3, kListenerFd = 4, kControlFd = 5, kScoreboardFd = 6;
inline constexpr char kReady = 'R';

struct Addresses {
  std::vector<SocketAddress> remote, local;
};

struct Plan {
  int worker = 0;
  std::string config_name, config_text;
  Overrides overrides;
  tls::Pem listener_certificate, listener_trusted, listener_revoked, remote_trusted;
  Addresses addresses;

  Config config() const { return Config::parse(config_text, config_name, overrides); }
  tls::ServerOptions server_options(const Config& config) const;
  tls::ClientOptions client_options(const Config& config) const;

  common::Fd to_memfd() const;
  static Plan from_fd(int fd);  // common::ConfigError
};

struct Order {
  enum class What { addresses, drain };
  What what = What::addresses;
  Addresses addresses;

  std::string encode() const;
  static Order decode(std::string_view text);  // common::ConfigError
};
inline constexpr size_t kMaxOrder = 32 * 1024;

}  // namespace relayd
