// The plan that the supervisor gives a worker at its start, and the messages between the two afterwards.
//
// The plan is one archive (archive.h) in a sealed memfd: the configuration and the PEM texts. The control
// socket (SOCK_SEQPACKET) carries the supervisor's orders one way; kReady, answers and last words the other way. The
// worker trusts its supervisor. The supervisor believes a worker that it is ready and how many sessions it ended, and
// logs its last words.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "common/fd.h"
#include "common/trust/pem.h"
#include "relayd/handover/config.h"
#include "relayd/handover/feed.h"
#include "relayd/handover/log_levels.h"

namespace relayd {

// The executable, found by common::Program, which is also its name in the log; and its name in `ps`, of at most 15
// bytes.
inline constexpr char kWorkerProgram[] = "mqtt-relayd-worker", kWorkerName[] = "relayd-worker";

// The descriptors that a worker inherits, after the standard ones. kChannelFd is the channel to its connector
// (channel.h). Then come the listening sockets, listener by listener; the plan has their numbers. Then the memory of a
// FlappingTable for each listener with flapping_detect, and that of the slot's EndingsTable.
inline constexpr int kPlanFd = 3, kControlFd = 4, kScoreboardFd = 5, kChannelFd = 6, kFirstListenerFd = 7;

// From the worker. kReady: it serves. kClosed: its answer to Order::What::close. kLastWords, followed by the cause of
// its end, cut at kMaxLastWords.
inline constexpr char kReady = 'R', kClosed = 'C', kLastWords = 'E';
inline constexpr size_t kMaxLastWords = 1024;
// The worker's answer to Order::What::disconnect: kEnded, then an Ended in this machine's byte order.
inline constexpr char kEnded = 'D';
struct Ended {
  uint32_t request = 0, sessions = 0;
};

// The built-in broker of a worker has taken a device over (MQTT-3.1.4-3): its older connections end, wherever they are.
// From the worker: kTaken, then a Taken in this machine's byte order. The supervisor passes at most kMostTaken a second
// of each worker on to all workers.
inline constexpr char kTaken = 'T';
inline constexpr uint32_t kMostTaken = 1000;
struct Taken {
  std::array<uint8_t, 32> device{};  // SHA-256 of the client id
  uint64_t at = 0;                   // nanoseconds of CLOCK_MONOTONIC: connections with an earlier CONNECT are older
};

// The texts of the PEM files that relayd.json names; empty for a file that it does not name.
struct PemFiles {
  struct Listener {
    std::vector<trust::Pem> certificates;  // as Config::Listener::certfiles
    trust::Pem trusted, revoked;
  };
  std::vector<Listener> listeners;         // as Config::listeners
  std::vector<trust::Pem> remote_trusted;  // each broker's
  trust::Pem remote_revoked, local_trusted, local_revoked, local_certificate;
};

struct Plan {
  struct Sockets {
    int count = 0;
    bool passed = false;  // by a service manager, which keeps them listening when relayd has closed them
    bool paused = false;  // nobody is accepted until Order::What::resume
  };
  int worker = 0;
  std::vector<Sockets> sockets;  // as Config::listeners
  Config config;
  PemFiles pem;
  LogLevels log;  // instead of config.log.level

  int all_sockets() const;
  common::Fd to_memfd() const;     // throws std::system_error if there is no memory
  static Plan from_memfd(int fd);  // throws BadArchive; std::system_error if it can't be read
};

// For the mains of programs that only the supervisor may start: throws common::ConfigError if `fd` is not a memfd, as a
// plan is.
void require_supervisor(int fd);

struct Order {
  // decode() takes them up to the last one.
  enum class What : uint8_t {
    retire,      // stop accepting; exit when the last session ends
    close,       // accept what waits in the queues, close the listeners, and answer kClosed: relayd stops
    drain,       // end every session in order, then exit
    stop,        // the same, after `close`: devices may be told of another gateway (server_reference)
    revoke,      // end the sessions whose certificates the attached Revocations revoke
    disconnect,  // end the sessions of `client_id`, or the one that `session` names, and answer with Ended
    take_over,   // end the older connections of `taken` to the built-in broker
    feed,        // write the lines of `feed` to the attached socket
    pause,       // stop accepting at `listener`, and leave the connections in its queue
    resume,      // accept there again
    log,         // write lines by these levels
  };
  What what = What::retire;
  std::string client_id = {};
  uint64_t session = 0;  // for disconnect: 0: those of client_id
  uint32_t request = 0;  // for disconnect: repeated in the answer
  Taken taken = {};
  FeedRequest feed = {};
  std::string listener = {};  // its name
  LogLevels log = {};

  std::string encode() const;                     // at most kMaxOrder
  static Order decode(std::string_view message);  // BadArchive
};
inline constexpr size_t kMaxOrder = 64 * 1024;

// The CAs and CRLs of listeners. They don't fit into a datagram, so a sealed memfd attached to the order carries them.
struct Revocations {
  struct Listener {
    std::string name;
    trust::Pem trusted, revoked;
    trust::Policy policy{};
  };
  std::vector<Listener> listeners;

  common::Fd to_memfd() const;            // errors: as Plan's
  static Revocations from_memfd(int fd);  // errors: as Plan's
};

}  // namespace relayd
