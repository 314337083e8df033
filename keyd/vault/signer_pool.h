// The threads that sign, and the order of their work: each worker's requests wait in a lane of their own, lanes take
// turns, and one extra thread takes quick jobs only, so that a flood of RSA delays no ECDSA.
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
#include "keyd/vault/signer.h"

namespace keyd {

// One request, from its arrival to its answer.
struct Job {
  uint64_t connection = 0;
  Peer peer;
  uint32_t id = 0;
  ipc::Op op{};                    // lookup, sign
  std::vector<uint8_t> datagram;   // what `asked` looks into
  ipc::Sign asked;                 // as the worker says it; for the audit. Of a lookup only the key
  ipc::Sign to_sign;               // bound kinds: with the hash of the transcript in their place
  std::array<uint8_t, 64> hash{};  // what to_sign's content looks into then
  std::shared_ptr<PrivateKey> key;
  uint64_t accepted_ns = 0, deadline_ns = UINT64_MAX, wait_us = 0, spent_us = 0;  // of uv_hrtime()
  SignatureBuffer signature{};
  std::optional<size_t> size;  // of the signature; nullopt: it could not be made

  // Nobody waits for the answer any more.
  bool given_up() const { return uv_hrtime() >= deadline_ns || (peer.gone && *peer.gone); }
};
using JobPtr = std::unique_ptr<Job>;

class SignerPool {
 public:
  using Done = std::function<void(JobPtr)>;

  // Starts `threads` and the quick one. Throws std::runtime_error if there is no randomness, or no locked memory for
  // their stacks.
  SignerPool(uv_loop_t& loop, size_t threads, Done done);
  ~SignerPool();
  // Ends the threads; what was not signed is dropped. The loop must run once more before this object dies.
  void stop();
  SignerPool(const SignerPool&) = delete;
  SignerPool& operator=(const SignerPool&) = delete;

  void submit(JobPtr job);  // the caller bounds how many there are

 private:
  class Lanes {
   public:
    void push(JobPtr job);
    JobPtr pop();  // of the lane whose turn it is
    bool empty() const { return lanes_.empty(); }

   private:
    std::map<uint64_t, std::deque<JobPtr>> lanes_;
    uint64_t last_ = 0;
  };
  void start(bool only_quick);
  void work(Signer& signer, bool only_quick);
  JobPtr next(bool only_quick, bool& quick_turn);
  void collect();

  Done done_;
  uv_async_t wake_{};
  std::mutex mutex_;  // guards what follows
  std::condition_variable work_, quick_work_;
  Lanes quick_, slow_;  // by what the key costs: elliptic curves, RSA
  std::vector<JobPtr> finished_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace keyd
