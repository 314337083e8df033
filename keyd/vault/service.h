// Answers requests: decides in a fixed order, signs, records and answers. No sockets here.
//
//   LOOKUP peer still waits → audit not stalled → worker's rate and queue → the worker's turn: key found → SPKI equal →
//          the proof holds, and its handshake is bound to the session → audit line → answer
//   SIGN   the same up to the queue → role fits kind → (bind_remote: the notary) → the worker's turn: key found → SPKI
//          equal → scheme fits key, content exact → a handshake is bound to the session, and none of the device is
//          newer → key's rate → sign → audit line → answer
//
// Requests wait in lanes (job.h) until their peer's timeout; a waiting request holds no key. "busy" means that a worker
// exceeds its rate, max_queue or kMostBytes, that a device's key exceeds its rate, or that locked memory is short.
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
#include "keyd/vault/key_turn.h"
#include "keyd/vault/notary_client.h"

namespace keyd {

class Service {
 public:
  struct Options {
    Rules rules{};
    size_t signers = 1;
    size_t max_queue = 4096;                 // of one worker's requests
    common::Rate worker_rate{}, key_rate{};  // requests of a worker; signatures with a device's key
    common::Milliseconds presence_window{60'000};
  };
  // One worker's waiting datagrams are limited by max_queue and kMostBytes; all workers' together by kShares times as
  // much, beyond which each worker still gets an equal part.
  static constexpr size_t kMostBytes = 16 * 1024 * 1024, kShares = 4;
  // Sends the answer to a request on the connection that it came from, which may be gone.
  using Reply = std::function<void(uint64_t connection, std::span<const uint8_t> datagram)>;

  // Everything passed by reference must outlive it. `notary` is empty unless the rules say bind_remote.
  Service(uv_loop_t& loop, KeyStore& keys, Audit& audit, const Options& options, NotaryEnds notary = {});
  void on_reply(Reply reply) { reply_ = std::move(reply); }
  // Called once if keyd can't serve any longer.
  void on_failure(NotaryClient::Failed failed) { failed_ = std::move(failed); }
  // Leaves pending requests unanswered. The loop must run once more before this object dies.
  void stop();
  // A running service takes changes of allow_tls12_client, max_queue and the rates, between two turns of the loop.
  Options& options() { return options_; }
  ipc::Mark mark() { return turn_.mark(); }
  ipc::Counters counters();
  size_t waiting() const { return waiting_.size() + (begun_ != nullptr); }  // answers, for their audit line

  // Answers LOOKUP, SIGN and STATS at once or later; the server answers HELLO. `request` is a view of `datagram`.
  void take(uint64_t connection, const Peer& peer, const ipc::Request& request, std::vector<uint8_t> datagram,
            uint64_t wait_us);

 private:
  struct Share {
    size_t requests = 0, bytes = 0;
    void add(const Job& job) { requests++, bytes += job.datagram.size(); }
    void drop(const Job& job) { requests--, bytes -= job.datagram.size(); }
    bool exceeds(size_t most, size_t most_bytes) const { return requests > most || bytes > most_bytes; }
  };
  Outcome decide(Job& job);
  void begin(JobPtr job);
  void take_turn(JobPtr job);
  void end(JobPtr job);
  void leave(const Job& job);
  void give_up();
  void hold(Audit::Written how, JobPtr job);
  void answer(JobPtr job);
  void refuse(JobPtr job);
  void look_again();
  void expire();
  void release();

  KeyStore& keys_;
  Audit& audit_;
  Options options_;
  Reply reply_;
  NotaryClient::Failed failed_ = [](const char*) {};
  RateLimit worker_rate_;
  KeyTurn turn_;
  SignerPool pool_;
  std::unique_ptr<NotaryClient> notary_;
  std::map<uint64_t, Share> queued_;  // unanswered requests of each lane
  Share all_queued_;
  JobPtr begun_;                        // a part of its line is written
  std::multimap<int, JobPtr> waiting_;  // for their line, by rank, then in order of arrival
  uv_timer_t again_{};                  // runs while an answer waits
  uint64_t again_ms_ = 0;
  uint64_t lookups_ = 0, signatures_ = 0, refusals_ = 0, given_up_ = 0;
};

}  // namespace keyd
