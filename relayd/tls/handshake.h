// One TLS handshake whose signature keyd makes.
//
// Each step of wolfSSL_accept / wolfSSL_connect runs on a fiber. When wolfSSL wants a signature, the callback checks
// that what it asks for is what keyd will compose, sends the typed request, and parks the fiber; keyd's answer resumes
// it. An answer that comes after the handshake was given up finds nobody.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/trust/validator.h"
#include "relayd/tls/certificate.h"
#include "relayd/tls/runtime.h"
#include "relayd/tls/transcript_recorder.h"

struct WOLFSSL;

namespace relayd::tls {

// Which key signs this handshake, and for whom (for keyd's audit).
struct SigningKey {
  ipc::Role role;
  std::string client_id;  // empty for the listener's key
  ipc::Spki spki;         // of the certificate that is shown
  ipc::Origin origin;
};

class Handshake {
 public:
  enum class Progress { wants_io, parked, done, failed };

  // `on_resumed` is called when a parked handshake went on: with its new progress. `ssl` must outlive the handshake.
  // A device's signs for the remote broker only if keyd wants that (bind_remote): then its messages are recorded.
  // `validator` judges the peer's chain; null if its context asks for none.
  Handshake(Runtime& runtime, WOLFSSL* ssl, SigningKey key, trust::Validator* validator,
            std::function<void(Progress)> on_resumed);
  ~Handshake();  // gives up: a parked signature fails, wolfSSL returns, the fiber is free
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  // Goes on after I/O became possible. Not while parked.
  Progress advance();
  bool parked() const { return fiber_ != nullptr; }

  // Why keyd did not sign, if that is what failed the handshake. nullopt as inner value: no answer in time.
  struct Refused {
    std::optional<ipc::Status> status;
  };
  const std::optional<Refused>& refused() const { return refused_; }
  int wolf_error() const { return error_; }
  // There was no memory for a fiber.
  bool exhausted() const { return exhausted_; }
  // Why the peer's chain was refused, if that is what failed the handshake.
  const std::optional<trust::Refusal>& refusal() const { return refusal_; }
  // For a caller that wants to see it: called once with the peer's certificate (DER), if its chain is accepted.
  using OnVerified = std::function<void(std::span<const uint8_t>)>;
  void on_verified(OnVerified tell) { on_verified_ = std::move(tell); }

  // The beginning of what the peer sent, to tell what a ClientHello offered.
  void keep_hello(std::span<const uint8_t> received);
  std::span<const uint8_t> hello() const { return hello_; }

  // A server's: the peer's chain as sent, once it has been accepted.
  CertificateChain& peer_chain() { return peer_chain_; }

  // For the callbacks in callbacks.cpp. On a fiber.
  using Chain = std::span<const std::span<const uint8_t>>;
  // Leaf first, as sent. `key_usable`: whether wolfSSL can verify a signature by the leaf's key. False: the alert is
  // sent.
  bool accepts_peer(Chain chain, bool key_usable);
  // 0, or -1: wolfSSL fails the handshake.
  int sign(ipc::Scheme scheme, std::span<const uint8_t> wolf_input, std::span<uint8_t> signature, uint32_t& size);

 private:
  bool compose_request(ipc::Sign& request, std::span<const uint8_t> wolf_input, std::span<uint8_t> scratch);
  bool bind_request(ipc::Sign& request, std::span<const uint8_t> wolf_input);
  void on_answer(const ipc::Client::Answer& answer);
  Progress settle();
  void judge();

  Runtime& runtime_;
  WOLFSSL* ssl_;
  SigningKey key_;
  trust::Validator* validator_;  // the context's
  std::function<void(Progress)> on_resumed_;
  OnVerified on_verified_;
  std::unique_ptr<TranscriptRecorder> recorder_;  // until its messages have gone to keyd; none without bind_remote
  std::unique_ptr<Fiber> fiber_;
  std::optional<ipc::Client::Ticket> ticket_;
  std::optional<ipc::Status> status_;  // keyd's answer to the parked request
  std::array<uint8_t, ipc::kMaxSignature> signature_{};
  size_t signature_size_ = 0;
  std::optional<Refused> refused_;
  bool abandoned_ = false;
  Chain to_judge_;  // while the fiber waits for judge()
  bool key_usable_ = false;
  std::optional<trust::Refusal> refusal_;
  bool exhausted_ = false;
  int result_ = 0, error_ = 0;
  std::vector<uint8_t> hello_;
  CertificateChain peer_chain_;
};

// Sets the signature callbacks of a context. Its connections' I/O context must be a HandshakeOwner.
class HandshakeOwner {
 public:
  virtual Handshake* handshake() = 0;

 protected:
  ~HandshakeOwner() = default;
};

}  // namespace relayd::tls
