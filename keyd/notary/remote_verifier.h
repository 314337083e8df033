// Decides whether a transcript is a handshake of the named device with a configured remote broker: the broker's
// certificate chains to the configured authorities and is for that broker's name (trust::Validator, as in a worker);
// its signature covers this very handshake; the client's certificate is the device's. The ClientHello asks for exactly
// the configured service: that name (none if it is an address) and the ALPN protocols. Otherwise the signature could
// be for another service that has the same certificate.
//
// What the peer sends never becomes an authority for anyone else. An accepted chain is remembered for as long as the
// verdict can't change, so a handshake usually costs one hash and one signature check.
//
// What this can't see: the server's signature covers only its Certificate and everything before it in TLS 1.3, both
// randoms and the key share in TLS 1.2. The broker judges the rest, because the device's signature must fit the
// broker's own transcript.
#pragma once

#include <string>
#include <vector>

#include "common/trust/validator.h"
#include "keyd/handover/notary_settings.h"
#include "keyd/handover/question.h"
#include "keyd/notary/transcript.h"

namespace keyd {

class RemoteVerifier {
 public:
  // Throws common::ConfigError, for the operator, if no certificate of the authorities can be used. The ClientHello
  // must offer the protocols of `settings` in their order; none: no ALPN.
  explicit RemoteVerifier(const BoundRemote& settings);

  NotaryAnswer answer(const Question& question, Bytes transcript);
  trust::Validator::Counts counts() const;
  // What an operator must know about the authorities.
  std::vector<trust::Concern> concerns(int64_t now) const { return brokers_.front().validator.concerns(now); }

 private:
  // Returns "", or what is wrong, for the audit.
  std::string judge(const Question& question, Bytes transcript, Transcript& parsed);
  std::string judge_chain(const Transcript& parsed);
  std::string judge_protocols(const Transcript& parsed) const;

  struct Broker {
    std::string server_name;  // in lower case; empty: none, because the host is an address
    trust::Validator validator;
  };
  std::vector<Broker> brokers_;
  std::vector<std::string> protocols_;
};

}  // namespace keyd
