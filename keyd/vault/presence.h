// Proof of presence: a device's key signs only for a device that has just shown, in its own handshake with the
// listener, that it holds this key.
//
// keyd remembers, for each worker, the signatures that it made as listener. A proof comes with the device's LOOKUP: the
// device's handshake messages, and its signature over them. It holds if the messages contain a remembered signature,
// made within the window, and if the device's signature verifies under its key. keyd looks up the signature itself, not
// only what it covers: a worker can have any hash signed, but a device goes on only after a signature that verifies
// under the certificate that it was shown. keyd holds the device's key, too, so it also remembers what it signed as the
// device: that proves nothing.
//
// Ed25519 and PKCS#1 v1.5 give the same signature for the same messages, so a worker could have an old one made again.
// With these schemes, the messages must also contain a mark that keyd made within the window. Nobody could know it
// before.
//
// A proof that holds binds its handshake to the session, for up to kMaxTries signatures within the window. Of a
// device's handshakes, at any worker, the newest is the one whose listener's signature keyd made last, however late its
// proof arrives. Older ones get no more signatures, because the CONNECT of a connection that the device has given up
// would take over its current session. No certificate is parsed. Any thread.
#pragma once

#include <uv.h>

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "keyd/vault/policy.h"
#include "keyd/vault/signer.h"

namespace keyd {

// The listener's part of a device's handshake: views of the proof, and what the signature covers.
struct Listener {
  std::span<const uint8_t> server_random, signature;
  std::vector<uint8_t> content;
};
// nullptr, or what is wrong with the messages.
const char* find_listener(const ipc::Proof& proof, Listener& found);

class RecentHandshakes {
 public:
  using Id = std::array<uint8_t, 32>;  // of a signature: hash of role, content and, as listener, signature
  using Bytes = std::span<const uint8_t>;
  // Signatures at a time. More is more than a worker can do: 1,092 handshakes a second with a window of 60 s. Nothing
  // is forgotten early, because a used proof would then be as good as new if its signature can be made again: beyond
  // these bounds nothing is signed. All lanes have a bound too, because a connector can name any number of them.
  static constexpr size_t kMostOfLane = 131'072, kMost = 4 * kMostOfLane;

  explicit RecentHandshakes(std::chrono::nanoseconds window, uint64_t (*now_ns)() = uv_hrtime)
      : window_ns_(static_cast<uint64_t>(window.count())), now_ns_(now_ns) {}
  // What a worker must put into its next ServerHellos.
  ipc::Mark mark();
  // A listener's signature has been made. nullopt: there are too many, and it must not leave.
  std::optional<Id> remember(uint64_t lane, ipc::Scheme scheme, Bytes content, Bytes signature);
  // Binds the handshake in the lookup's proof to the lookup's session. Returns nullptr, or why the proof does not hold,
  // for the audit. Sets `id` if the proof names a signature at all. `key`: the device's; null: the notary has verified
  // the signature. Precondition: policy's may_look_up.
  const char* prove(uint64_t lane, const ipc::Lookup& lookup, PrivateKey* key, Signer& signer, std::optional<Id>& id);
  // Takes one of the signatures that the session's handshake is good for, and sets `id`; or says why not. Call it
  // before the device's key signs.
  Verdict use(uint64_t lane, const ipc::Sign& sign, std::optional<Id>& id);

 private:
  struct Entry {
    uint64_t lane, until_ns;
    bool needs_mark;
    size_t tries = 0;
    std::string session{};  // that it is bound to; empty: none yet
  };
  using Entries = std::map<Id, Entry>;
  using Oldest = std::deque<Entries::iterator>;  // the oldest first
  struct Given {
    ipc::Mark mark;
    uint64_t until_ns;
  };
  bool keep(uint64_t lane, const Id& id, bool needs_mark);
  void forget_old(Oldest& oldest, uint64_t now);

  const uint64_t window_ns_;
  uint64_t (*now_ns_)();
  std::mutex mutex_;  // guards what follows
  Entries entries_;
  std::map<std::string, Entries::iterator> named_;  // by session; by client id, the newest
  std::map<uint64_t, Oldest> lanes_;
  std::deque<Given> marks_;  // the newest last
};

}  // namespace keyd
