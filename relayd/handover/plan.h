// What the supervisor hands a worker at its birth, and what the two say to each other afterwards.
//
// The plan is one archive (archive.h) in a sealed memfd: the configuration, the PEM texts, the addresses. The control
// socket (SOCK_SEQPACKET) carries the supervisor's orders one way, kReady and last words the other way. A worker trusts
// its supervisor; the supervisor believes a worker that it is ready, and logs its last words.
#pragma once

#include <string>
#include <vector>

#include "common/fd.h"
#include "common/trust/pem.h"
#include "relayd/handover/config.h"
#include "relayd/handover/socket_address.h"

namespace relayd {

// The executables, found by common::Program, and what `ps` and the log call them.
inline constexpr char kWorkerProgram[] = "mqtt-relayd-worker", kWorkerName[] = "relayd-worker";

// Descriptors that a worker finds open, behind the standard ones. kFlappingFd only with flapping_detect; the plan says
// how many listeners there are.
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

// The texts of the PEM files that relayd.json names; one that it does not name is empty.
struct PemFiles {
  trust::Pem listener_certificate, listener_trusted, listener_revoked, remote_trusted, remote_revoked;
};

struct Plan {
  int worker = 0, generation = 1;
  int listeners = 1;
  Config config;
  PemFiles pem;
  Addresses addresses;

  common::Fd to_memfd() const;     // std::system_error without memory
  static Plan from_memfd(int fd);  // BadArchive; std::system_error if it can't be read
};

// For the mains of programs that are of use to the supervisor only: a plan is a memfd. common::ConfigError, if there is
// none on `fd`.
void require_supervisor(int fd);

struct Order {
  enum class What : uint8_t {
    addresses,   // of the brokers, from now on
    retire,      // stop accepting; exit when the last session ends
    drain,       // end every session in order, then exit
    revoke,      // end the sessions whose certificates are revoked by what comes along as a descriptor (Revocations)
    disconnect,  // end the sessions of `client_id`, and answer by Ended
  };
  What what = What::addresses;
  Addresses addresses = {};
  std::string client_id = {};
  uint32_t request = 0;  // of disconnect

  std::string encode() const;                     // at most kMaxOrder
  static Order decode(std::string_view message);  // BadArchive
};
inline constexpr size_t kMaxOrder = 64 * 1024;

// Certificate authorities and their CRLs, too large for a datagram: a sealed memfd beside the order.
struct Revocations {
  trust::Pem trusted, revoked;
  trust::Policy policy{};  // the listener's

  common::Fd to_memfd() const;
  static Revocations from_memfd(int fd);
};

}  // namespace relayd
