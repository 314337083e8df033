// The threads that read keys and sign, and the order of their work: each worker's requests wait in a lane of their own,
// and the lanes take turns. The loop's thread itself does short jobs with keys of the cache, because waking another
// thread costs more than they do; it never waits for a disk, RSA or another thread's operation. The others are on
// threads by kind, so that RSA delays nothing else, and encrypted keys, each of which takes as long as hundreds of
// signatures, delay only each other.
//
// A waiting job holds no key, so waiting costs no locked memory.
//
// Threads: submit() to any queue but `at_once` may be called from any; everything else, and Done, belongs to the loop's
// thread; Work runs on all. A job is owned by exactly one side at a time.
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
  // For the loop's thread; what that can't do at once, such as keys that must be read; RSA; encrypted keys.
  enum Queue : size_t { at_once, quick, slow, sealed };
  // Takes a job up and returns nullopt, or only finds out in which queue it must wait for its turn.
  using Work = std::function<std::optional<Queue>(Job&, Signer&, Queue from)>;
  using Done = std::function<void(JobPtr)>;

  // Jobs that the loop's thread does in one turn of the loop; more are for the thread of quick ones.
  static constexpr size_t kMostAtOnce = 8;
  // The threads that use keys if `signers` of them are for RSA. The loop's is one of them.
  static constexpr size_t all_threads(size_t signers) { return signers + 3; }
  // Throws std::runtime_error if there is no randomness, or no locked memory for the threads' stacks. The caller has
  // locked that of the loop's thread.
  SignerPool(uv_loop_t& loop, size_t signers, Work work, Done done);
  ~SignerPool();
  // Ends the threads and drops waiting jobs. The loop must run once more before this object dies.
  void stop();

  void submit(JobPtr job, Queue queue);  // the caller limits the number of jobs

 private:
  void start(Queue serves);
  void run(Signer& signer, Queue serves);
  void run_at_once();
  bool attend(JobPtr& job, Signer& signer, Queue from);
  void collect();

  Work work_;
  Done done_;
  Signer own_;        // of the loop's thread
  Lanes at_once_;     // for it
  uv_idle_t idle_{};  // runs while there are any
  uv_async_t wake_{};
  std::mutex mutex_;                            // guards what follows
  std::array<std::condition_variable, 4> for_;  // the threads that serve a queue
  std::array<Lanes, 4> waiting_;                // by Queue
  std::vector<JobPtr> finished_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace keyd
