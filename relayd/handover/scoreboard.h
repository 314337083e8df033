// One worker's counters, in a page of memory that its supervisor reads without a message, a system call or a lock.
//
// The worker writes every number but `max_connections`, which the supervisor writes. Numbers are independent: two reads
// may be inconsistent with each other. The supervisor only reports them, watches the heartbeat and shares out
// max_connections, so a worker that lies harms no more than these.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "common/fd.h"
#include "relayd/handover/certificate_fault.h"
#include "relayd/handover/config.h"
#include "relayd/handover/handshake_failure.h"
#include "relayd/handover/histogram.h"
#include "relayd/handover/speaks.h"
#include "relayd/mqtt/connack_codes.h"
#include "relayd/mqtt/packets.h"
#include "relayd/websocket/fault.h"

namespace relayd {

// What Counters tells apart by the broker.
enum class Upstream : uint8_t { remote, local };
inline constexpr std::array<const char*, 2> kUpstreams{"remote", "local"};

struct Counters {
  using Number = std::atomic<uint64_t>;

  Number beat;  // increases while the event loop runs

  // At this moment.
  Number connections;       // accepted and not closed
  Number sessions;          // of these, the ones relayed or served by the built-in broker
  Number memory;            // resident, bytes
  Number fibers;            // handshakes waiting for a signature
  Number keyd_away;         // 1: no connection to keyd
  Number keyd_degraded;     // 1: keyd can't write its audit, so it signs nothing
  Number keyd_notary_away;  // 1: keyd's notary does not answer, so no device's key signs

  // Since the worker's start.
  Number accepted;
  Number shed_connections, shed_memory, shed_descriptors;  // closed at once: max_connections, worker_max_memory, EMFILE
  Number shed_address;                                     // the same: max_conn_rate_per_address
  Number tcp_probes;                                       // connected and left without sending a byte
  std::array<Number, kProxyFaults.size()> proxy_refused;   // with proxy_protocol, by ProxyFault
  std::array<Number, websocket::kFaults.size()> websocket_refused;  // with websocket, by websocket::Fault
  Number handshakes_failed;                                         // with devices; without probes
  std::array<Number, kNotTls.size()> not_tls;  // of these, peers that spoke another protocol, by Speaks
  std::array<Number, kHandshakeFailures.size()> handshake_failures;  // of handshakes_failed, by HandshakeFailure
  std::array<Number, kUpstreams.size()> dials_failed;                // no address of the broker accepted, by Upstream
  Number remote_sessions, local_sessions;                            // sessions that came up
  std::array<Number, Config::kMaxBrokers> sessions_by_broker;        // of remote_sessions, by the place in remote_hosts
  // Of local_sessions, those where a key may have been meant.
  Number impossible_ids, other_spellings, certificates_without_key;
  std::array<Number, mqtt::kRefusals.size()> refused;                // by mqtt::Refusal
  std::array<Number, kCertificateFaults.size()> certificate_faults;  // of these, by CertificateFault
  std::array<Number, mqtt::kConnackCodes.size()> remote_refused;     // by the remote's CONNACK, as kConnackCodes
  Number local_refused;                                              // by the local broker's CONNACK
  Number keep_alive_timeouts, send_timeouts, throttled;     // throttled: times that a device was read more slowly
  Number log_dropped;                                       // lines for which standard error had no room
  Number bytes_up, bytes_down, messages_up, messages_down;  // MQTT bytes and PUBLISH packets relayed

  // With local.tap.
  Number tap_down;                                   // 1: no connection to the local broker
  Number tap_copied;                                 // PUBLISH packets that were given to it
  std::array<Number, kTapDrops.size()> tap_dropped;  // by TapDrop

  // How long it took.
  Histogram device_handshake;                                 // from accepting to the end of the TLS handshake
  std::array<Histogram, kUpstreams.size()> broker_handshake;  // from the connection to the end of the TLS handshake
  std::array<Histogram, kUpstreams.size()> connect;           // from a device's CONNECT to its successful CONNACK
  Histogram keyd_lookup, keyd_sign;                           // from a request to keyd's answer

  // Of each listener, as Config::listeners.
  struct Listener {
    Number connections, accepted;
    Number max_connections;  // written by the supervisor: how many connections this worker may have now
  };
  std::array<Listener, Config::kMaxListeners> listeners;
};

// The page. Created by the supervisor, mapped by both, zeroed by the kernel.
class Scoreboard {
 public:
  Scoreboard();                 // creates one, without a limit yet; throws std::system_error if there is no memory
  explicit Scoreboard(int fd);  // maps an inherited one; throws std::system_error if `fd` is something else
  ~Scoreboard();
  Scoreboard(const Scoreboard&) = delete;
  Scoreboard& operator=(const Scoreboard&) = delete;

  Counters& operator*() const { return *counters_; }
  Counters* operator->() const { return counters_; }
  int fd() const { return fd_.get(); }  // for a child to inherit; only the creator has it

 private:
  void map(int fd);
  common::Fd fd_;
  Counters* counters_ = nullptr;
};

inline void count(Counters::Number& number, uint64_t more = 1) {
  // Only one process writes, so no locked instruction is needed.
  number.store(number.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}
inline void uncount(Counters::Number& number) { count(number, ~uint64_t{0}); }

}  // namespace relayd
