// What the supervisor hands a worker at its birth, and what the two say to each other afterwards.
//
// The plan is one JSON document in a sealed memfd: the text of the configuration, the PEM texts, the addresses. The
// control socket (SOCK_SEQPACKET) carries the supervisor's JSON orders one way, kReady and last words the other way. A
// worker trusts its supervisor; the supervisor believes a worker that it is ready, and logs its last words.
#pragma once

#include <string>
#include <vector>

#include "common/fd.h"
#include "relayd/config.h"
#include "relayd/socket_address.h"

namespace relayd {

// Descriptors that a worker finds open, behind the standard ones; kFlappingFd only with flapping_detect, and as many
// listeners as its plan says.
inline constexpr int kPlanFd = 3, kControlFd = 4, kScoreboardFd = 5, kFlappingFd = 6, kNewestFd = 7,
                     kFirstListenerFd = 8;

// From the worker: that it serves, or, behind kLastWords, why it ends (cut at kMaxLastWords).
inline constexpr char kReady = 'R', kLastWords = 'E';
inline constexpr size_t kMaxLastWords = 1024;
// From the worker, the answer to Order::What::disconnect: kEnded, then an Ended in this machine's byte order.
inline constexpr char kEnded = 'D';
struct Ended {
  uint32_t request = 0, sessions = 0;
};

struct Addresses {
  std::vector<SocketAddress> remote, local;
};

struct Plan {
  int worker = 0, generation = 1;
  int listeners = 1;
  std::string config_name, config_text;
  Overrides overrides;
  tls::Pem listener_certificate, listener_trusted, listener_revoked, remote_trusted, remote_revoked;
  Addresses addresses;

  Config config() const { return Config::parse(config_text, config_name, overrides); }
  tls::ServerOptions server_options(const Config& config) const;
  tls::ClientOptions client_options(const Config& config) const;

  common::Fd to_memfd() const;
  static Plan from_fd(int fd);  // common::ConfigError
};

struct Order {
  enum class What {
    addresses,   // of the brokers, from now on
    retire,      // accept nobody more; serve who is there, then leave
    drain,       // say goodbye to everybody, then leave
    revoke,      // end sessions whose certificates `revocations` revokes; it comes as a descriptor (Revocations)
    disconnect,  // end the sessions of `client_id`, and answer by Ended
  };
  What what = What::addresses;
  Addresses addresses;
  std::string client_id;
  uint32_t request = 0;  // of disconnect

  std::string encode() const;
  static Order decode(std::string_view text);  // common::ConfigError
};
inline constexpr size_t kMaxOrder = 64 * 1024;

// Certificate authorities and their CRLs, too large for a datagram: a sealed memfd beside the order.
struct Revocations {
  tls::Pem trusted, revoked;
  trust::Policy policy{};  // the listener's

  common::Fd to_memfd() const;
  static Revocations from_fd(int fd);
};

}  // namespace relayd
