// Answers requests: decides in a fixed order, signs, records and answers. No sockets here.
//
//   SIGN   peer still waits → audit not stalled → worker's rate and queue → role fits kind → a proof is there → key
//   found
//          → SPKI equal → scheme fits key, content exact → key's rate → (bind_remote: the notary) → the proof holds →
//          sign → audit line → answer
//
// The line is written after the signature is made, so that it can record the outcome and the time taken, and before the
// answer leaves. While the audit's reader is slow, answers wait for their line, those of the furthest handshakes first,
// because more work would be lost with them. A signature whose line can't be written before its peer's timeout is
// wiped, and the answer is "internal". Once the audit is stalled nothing is signed at all. keyd does no work for a peer
// that has gone or given up. One thread, the loop's; the signer pool has its own.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "ipc/codec.h"
#include "keyd/vault/key_store.h"
#include "keyd/vault/notary_client.h"
#include "keyd/vault/rate_limit.h"

namespace keyd {

class Service {
 public:
  struct Options {
    Rules rules{};
    size_t signers = 1;
    size_t max_queue = 1024;                 // of one worker's requests; of all workers', kQueues times as many
    common::Rate worker_rate{}, key_rate{};  // requests of a worker; signatures with a device's key
    common::Milliseconds presence_window{60'000};
  };
  // Sends the answer to a request on the connection that it came from, which may be gone.
  using Reply = std::function<void(uint64_t connection, std::span<const uint8_t> datagram)>;

  // Everything passed by reference must outlive it. `notary` is empty unless the rules say bind_remote.
  Service(uv_loop_t& loop, KeyStore& keys, Audit& audit, const Options& options, common::Fd notary = {});
  void on_reply(Reply reply) { reply_ = std::move(reply); }
  // Leaves pending requests unanswered. The loop must run once more before this object dies.
  void stop();
  const Rules& rules() const { return options_.rules; }
  ipc::Mark mark() { return handshakes_.mark(); }
  ipc::Counters counters();
  size_t waiting() const { return waiting_.size() + begun_.has_value(); }  // answers, for their audit line

  // Answers LOOKUP, SIGN and STATS at once or later; the server answers HELLO. `request` is a view of `datagram`.
  void take(uint64_t connection, const Peer& peer, const ipc::Request& request, std::vector<uint8_t> datagram,
            uint64_t wait_us);

 private:
  struct Outcome {
    ipc::Status status = ipc::Status::ok;
    std::string reason;
    uint32_t retry_after_ms = 0;
    std::span<const uint8_t> payload;  // a view of the request, or of a signature
  };
  struct Waiting {
    JobPtr job;
    Outcome outcome;
  };
  Outcome decide(Job& job);
  Outcome admit(const Peer& peer);
  Outcome lookup(const ipc::Lookup& lookup);
  Outcome accept(Job& job);
  void begin(JobPtr job);
  void signed_or_not(JobPtr job);
  void end(JobPtr job, Outcome outcome);
  void leave(const Job& job);
  void give_up();
  void hold(Audit::Written how, JobPtr job, Outcome outcome);
  void answer(JobPtr job, const Outcome& outcome);
  void refuse(JobPtr job);
  void look_again();
  void expire();
  void release();

  KeyStore& keys_;
  Audit& audit_;
  Options options_;
  Reply reply_;
  RateLimit worker_rate_, key_rate_;
  RecentHandshakes handshakes_;
  SignerPool pool_;
  std::unique_ptr<NotaryClient> notary_;
  std::map<uint64_t, size_t> queued_;  // unanswered requests of each lane
  size_t all_queued_ = 0;
  std::optional<Waiting> begun_;                         // a part of its line is written
  std::map<std::pair<int, uint64_t>, Waiting> waiting_;  // for their line, by rank, then in order of arrival
  uint64_t last_waiting_ = 0;
  uv_timer_t again_{};  // runs while an answer waits
  uint64_t again_ms_ = 0;
  uint64_t lookups_ = 0, signatures_ = 0, refusals_ = 0, given_up_ = 0;
};

}  // namespace keyd
