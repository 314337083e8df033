// The threads that sign, and the order of their work: each worker's requests wait in a lane of their own, lanes take
// turns, and one extra thread takes quick jobs only, so that a flood of RSA does not delay ECDSA.
//
// Threads: submit(), stop() and the callback belong to the loop's thread. A job is owned by exactly one side at a time.
#pragma once

#include <uv.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "keyd/vault/audit.h"
#include "keyd/vault/presence.h"

namespace keyd {

// One request, from its arrival to its answer.
struct Job {
  uint64_t connection = 0;
  Peer peer;
  uint32_t id = 0;
  ipc::Op op{};                    // lookup, sign
  std::vector<uint8_t> datagram;   // `asked` is a view of it
  ipc::Sign asked;                 // as the worker sent it, for the audit; for a lookup, only its key
  ipc::Sign to_sign;               // for tls13_client_bound, with the transcript's hash as content
  std::array<uint8_t, 48> hash{};  // then to_sign's content is a view of it
  std::shared_ptr<PrivateKey> key;
  uint64_t accepted_ns = 0, deadline_ns = UINT64_MAX, wait_us = 0, spent_us = 0;  // of uv_hrtime()
  SignatureBuffer signature{};
  std::optional<size_t> size;                     // of the signature; nullopt: signing failed
  const char* presence = "";                      // why there is no proof of it, for the audit
  std::optional<RecentHandshakes::Id> handshake;  // of the device: that it is part of, or that proves presence
  const char* refusal = nullptr;                  // why the proof does not hold

  // The peer no longer waits for the answer.
  bool given_up() const { return uv_hrtime() >= deadline_ns || (peer.gone && *peer.gone); }
};
using JobPtr = std::unique_ptr<Job>;

class SignerPool {
 public:
  using Done = std::function<void(JobPtr)>;

  // Starts `threads` threads and the quick one. Throws std::runtime_error if there is no randomness, or no locked
  // memory for their stacks.
  SignerPool(uv_loop_t& loop, size_t threads, RecentHandshakes& handshakes, Done done);
  ~SignerPool();
  // Ends the threads and drops unsigned jobs. The loop must run once more before this object dies.
  void stop();
  SignerPool(const SignerPool&) = delete;
  SignerPool& operator=(const SignerPool&) = delete;

  void submit(JobPtr job);  // the caller limits the number of jobs

 private:
  class Lanes {
   public:
    void push(JobPtr job);
    JobPtr pop();  // from the lane whose turn it is
    bool empty() const { return lanes_.empty(); }

   private:
    std::map<uint64_t, std::deque<JobPtr>> lanes_;
    uint64_t last_ = 0;
  };
  void start(bool only_quick);
  void work(Signer& signer, bool only_quick);
  void sign(Job& job, Signer& signer);
  JobPtr next(bool only_quick, bool& quick_turn);
  void collect();

  RecentHandshakes& handshakes_;
  Done done_;
  uv_async_t wake_{};
  std::mutex mutex_;  // guards what follows
  std::condition_variable work_, quick_work_;
  Lanes quick_, slow_;  // elliptic curves, RSA
  std::vector<JobPtr> finished_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace keyd
