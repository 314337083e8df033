// Answers requests: the order in which keyd says no, then signs, records and answers. No sockets here.
//
//   SIGN    role fits kind → key found → SPKI equal → scheme fits key, content exact → sign → audit line →
//   answer
//
// The line is written after the signature is made, so that it can say whether and how fast it was, and before the
// answer leaves: a signature whose line can't be written is wiped. While the audit is degraded nothing is signed at
// all.
#pragma once

#include "ipc/codec.h"
#include "keyd/vault/audit.h"
#include "keyd/vault/key_store.h"
#include "keyd/vault/signer.h"

namespace keyd {

class Service {
 public:
  // What it is given must outlive it.
  Service(KeyStore& keys, Signer& signer, Audit& audit, bool allow_tls12_client)
      : keys_(keys), signer_(signer), audit_(audit), allow_tls12_client_(allow_tls12_client) {}

  // Answers LOOKUP, SIGN and STATS; HELLO is the server's. The answer's bytes are in `out`, their number is
  // returned.
  size_t answer(const Peer& peer, const ipc::Request& request, uint64_t wait_us, ipc::ResponseBuffer& out);

 private:
  struct Outcome {
    ipc::Status status = ipc::Status::ok;
    std::string reason;
    size_t signature_size = 0;
  };
  Outcome lookup(const ipc::Lookup& lookup);
  Outcome sign(const ipc::Sign& sign);
  ipc::Counters counters() const;

  KeyStore& keys_;
  Signer& signer_;
  Audit& audit_;
  bool allow_tls12_client_;
  SignatureBuffer signature_{};
  uint64_t lookups_ = 0, signatures_ = 0, refusals_ = 0;
};

}  // namespace keyd
