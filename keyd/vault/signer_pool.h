// The threads that read keys and sign, and the order of their work: each worker's requests wait in a lane of their own,
// and the lanes take turns. One thread takes quick jobs only, so that a flood of RSA does not delay ECDSA. One opens
// encrypted keys and does nothing else, because each takes as long as hundreds of signatures.
//
// A waiting job holds no key, so waiting costs no locked memory.
//
// Threads: submit() may be called from any; stop() and Done belong to the loop's thread, Work to the pool's. A job is
// owned by exactly one side at a time.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "keyd/vault/job.h"

namespace keyd {

class SignerPool {
 public:
  enum Queue : size_t { quick, slow, sealed };  // elliptic curves and lookups; RSA; encrypted keys
  // Takes a job up and returns nullopt, or only finds out in which queue it must wait for its turn.
  using Work = std::function<std::optional<Queue>(Job&, Signer&, Queue from)>;
  using Done = std::function<void(JobPtr)>;

  // The threads of a pool with `ordinary` ordinary ones.
  static constexpr size_t all_threads(size_t ordinary) { return ordinary + 2; }
  // Starts all_threads(ordinary). Throws std::runtime_error if there is no randomness, or no locked memory for their
  // stacks.
  SignerPool(uv_loop_t& loop, size_t ordinary, Work work, Done done);
  ~SignerPool();
  // Ends the threads and drops waiting jobs. The loop must run once more before this object dies.
  void stop();
  SignerPool(const SignerPool&) = delete;
  SignerPool& operator=(const SignerPool&) = delete;

  void submit(JobPtr job, Queue queue);  // the caller limits the number of jobs

 private:
  void start(Queue serves);
  void run(Signer& signer, Queue serves);
  JobPtr next(Queue serves, bool& quick_turn, Queue& from);
  void collect();

  Work work_;
  Done done_;
  uv_async_t wake_{};
  std::mutex mutex_;                            // guards what follows
  std::array<std::condition_variable, 3> for_;  // threads that serve a queue; ordinary ones serve slow, and quick too
  std::array<Lanes, 3> waiting_;                // by Queue
  std::vector<JobPtr> finished_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace keyd
