// Whether a transcript is a handshake of the device whose certificate is named, with the remote broker that is
// configured: its certificate chains to the configured authorities, is for the configured name and a server's; the
// server's signature is over this very handshake; the client's certificate is the device's.
//
// What the peer sends never becomes an authority for anyone else: each chain is verified by itself. A chain that was
// good is remembered for a minute, so that a handshake usually costs a hash and one signature's check.
//
// What this can't see: a server's signature covers its Certificate and all before it in TLS 1.3, both randoms and the
// key share in TLS 1.2. The rest is for the broker to judge, whose own transcript the device's signature must fit.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keyd/notary/question.h"
#include "keyd/notary/transcript.h"

namespace keyd {

class Verifier {
 public:
  // Throws std::runtime_error, for the operator, if no certificate in `ca_pem` can be used; logs those that can't.
  Verifier(std::string remote_host, const std::string& ca_pem);

  NotaryAnswer answer(const Question& question, Bytes transcript);
  size_t remembered() const { return chains_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Der = std::vector<uint8_t>;
  struct Chain {
    Clock::time_point until;
    Der server_spki;
  };
  static constexpr size_t kMostChains = 64;
  static constexpr std::chrono::seconds kRemembered{60};  // a chain that expires is refused that much later

  const char* judge(const Question& question, Bytes transcript, Transcript& parsed);
  // The leaf's SubjectPublicKeyInfo, or in `problem` why not; valid until the next call.
  const Der* server_key(std::span<const Bytes> chain, const char*& problem);
  const char* verify(std::span<const Bytes> chain) const;

  std::string remote_host_;
  std::vector<Der> authorities_;
  std::map<std::array<uint8_t, 32>, Chain> chains_;  // by SHA-256 of the certificates
};

}  // namespace keyd
