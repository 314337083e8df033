// A request's turn on a thread of the pool or the loop's: everything that needs its key. The key is found here and not
// before, so that a waiting request holds none, and a key file that has changed meanwhile takes effect.
#pragma once

#include "keyd/vault/key_store.h"
#include "keyd/vault/rate_limit.h"
#include "keyd/vault/signer_pool.h"

namespace keyd {

class KeyTurn {
 public:
  KeyTurn(KeyStore& keys, std::chrono::nanoseconds presence_window) : keys_(keys), handshakes_(presence_window) {}
  ipc::Mark mark() { return handshakes_.mark(); }

  // Where a job waits for its first turn.
  static SignerPool::Queue queue_of(const Job& job);
  // A SignerPool::Work: sets the job's outcome unless it must wait elsewhere. Any thread.
  std::optional<SignerPool::Queue> take(Job& job, Signer& signer, SignerPool::Queue from);

 private:
  Outcome with(PrivateKey& key, Job& job, Signer& signer);
  Outcome signed_with(PrivateKey& key, Job& job, Signer& signer);

  KeyStore& keys_;
  RecentHandshakes handshakes_;
  std::mutex mutex_;
  RateLimit key_rate_;  // guarded by mutex_
};

}  // namespace keyd
