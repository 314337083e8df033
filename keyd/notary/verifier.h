// Whether a transcript is a handshake of the device whose certificate is named, with the remote broker that is
// configured: its certificate chains to the configured authorities and is for the configured name (trust::Validator, as
// in a worker); the server's signature is over this very handshake; the client's certificate is the device's.
//
// What the peer sends never becomes an authority for anyone else. A chain that was good is remembered for as long as
// that can't change, so that a handshake usually costs a hash and one signature's check.
//
// What this can't see: a server's signature covers its Certificate and all before it in TLS 1.3, both randoms and the
// key share in TLS 1.2. The rest is for the broker to judge, whose own transcript the device's signature must fit.
#pragma once

#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "keyd/handover/question.h"
#include "keyd/notary/transcript.h"

namespace keyd {

class Verifier {
 public:
  // Throws common::ConfigError, for the operator, if no certificate in `authorities` can be used.
  Verifier(std::string remote_host, const trust::Pem& authorities);

  NotaryAnswer answer(const Question& question, Bytes transcript);
  trust::Validator::Counts counts() const { return validator_.counts(); }
  // What an operator must know of the authorities.
  std::vector<trust::Concern> concerns(int64_t now) const { return validator_.concerns(now); }

 private:
  // Empty, or what is wrong, for the audit.
  std::string judge(const Question& question, Bytes transcript, Transcript& parsed);

  trust::Validator validator_;
};

}  // namespace keyd
