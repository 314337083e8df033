// What one worker process counts, in a page of memory that its supervisor reads: no message, no system call, no lock.
//
// The worker writes all but `max_connections`, which the supervisor writes. Each number stands for itself; two read
// one after the other need not fit together. The supervisor believes none of them more than a number in a report and
// the heartbeat, so that a worker that lies harms itself only.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "common/fd.h"
#include "relayd/handover/speaks.h"
#include "relayd/mqtt/connack_codes.h"
#include "relayd/mqtt/packets.h"

namespace relayd {

struct Counters {
  using Number = std::atomic<uint64_t>;

  Number beat;  // grows while the event loop turns

  // Now.
  Number connections;    // accepted and not closed
  Number sessions;       // of them, those that are relayed or served by the built-in broker
  Number memory;         // resident, bytes
  Number fibers;         // signatures that are waited for
  Number keyd_away;      // 1: no connection to keyd
  Number keyd_degraded;  // 1: keyd can't write its audit, and so signs nothing

  // Since the worker's start.
  Number accepted;
  Number shed_connections, shed_memory, shed_descriptors;  // closed at once: max_connections, worker_max_memory, EMFILE
  Number tcp_probes;                                       // connected and left without a byte
  Number handshakes_failed;                                // the device's; not those of probes
  std::array<Number, kNotTls.size()> not_tls;              // of them, those that spoke something else, by Speaks
  Number remote_sessions, local_sessions;                  // that came up
  Number impossible_ids, other_spellings;                  // of local_sessions, where a key may have been meant
  std::array<Number, mqtt::kRefusals.size()> refused;      // by mqtt::Refusal
  std::array<Number, mqtt::kConnackCodes.size()> remote_refused;  // by the remote's CONNACK, as kConnackCodes
  Number local_refused;                                           // by the local broker's
  Number keep_alive_timeouts, send_timeouts, throttled;           // throttled: times that a device was read more slowly
  Number log_dropped;                                             // lines that standard error had no room for
  Number bytes_up, bytes_down, messages_up, messages_down;        // MQTT bytes and PUBLISH packets relayed

  // The supervisor's: how many connections this worker may have now.
  Number max_connections;
};

// The page. Created by the supervisor, mapped by both, zeroed by the kernel.
class Scoreboard {
 public:
  Scoreboard();                 // creates one, with no limit yet; std::system_error without memory
  explicit Scoreboard(int fd);  // maps an inherited one; std::system_error if it is none
  ~Scoreboard();
  Scoreboard(const Scoreboard&) = delete;
  Scoreboard& operator=(const Scoreboard&) = delete;

  Counters& operator*() const { return *counters_; }
  Counters* operator->() const { return counters_; }
  int fd() const { return fd_.get(); }  // to inherit; the creator's only

 private:
  void map(int fd);
  common::Fd fd_;
  Counters* counters_ = nullptr;
};

inline void count(Counters::Number& number, uint64_t more = 1) {
  // One writer: no locked instruction is needed.
  number.store(number.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}
inline void uncount(Counters::Number& number) { count(number, ~uint64_t{0}); }

}  // namespace relayd
