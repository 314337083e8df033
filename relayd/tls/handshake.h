// One TLS handshake whose signature keyd makes.
//
// Each step of wolfSSL_accept / wolfSSL_connect runs on a fiber. When wolfSSL wants a signature, the callback checks
// that the request matches what keyd will compose, sends the typed request and parks the fiber. keyd's answer resumes
// it. An answer that comes after the handshake was abandoned is ignored.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/trust/validator.h"
#include "relayd/tls/certificate.h"
#include "relayd/tls/device_proof.h"
#include "relayd/tls/runtime.h"
#include "relayd/tls/transcript_recorder.h"

struct WOLFSSL;

namespace relayd::tls {

class ServerContext;

// Which key signs this handshake, and for which session (for keyd's audit).
struct SigningKey {
  ipc::Role role;
  std::string client_id;  // empty for relayd's own keys
  ipc::Spki spki;         // of the certificate that we send
  ipc::Origin origin;
};

class Handshake {
 public:
  enum class Progress { wants_io, parked, done, failed };

  // `on_resumed` is called with the new progress after a parked handshake has continued. `ssl` must outlive the
  // handshake. Messages that keyd needs are recorded: the remote handshake's for bind_remote and in TLS 1.2, the
  // device's for require_presence. `validator` judges the peer's chain; null if its context asks for none.
  Handshake(Runtime& runtime, WOLFSSL* ssl, SigningKey key, trust::Validator* validator,
            std::function<void(Progress)> on_resumed);
  ~Handshake();  // abandons the handshake: a parked signature fails, wolfSSL returns, the fiber is released
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  // Continues when I/O has become possible. Must not be called while parked.
  Progress advance();
  bool parked() const { return fiber_ != nullptr; }

  // If the handshake failed because keyd did not sign, or was not there: why. A nullopt status means no answer in time.
  struct NotSigned {
    std::optional<ipc::Status> status;
  };
  const std::optional<NotSigned>& not_signed() const { return not_signed_; }
  int wolf_error() const { return error_; }
  // There was no memory for a fiber.
  bool exhausted() const { return exhausted_; }
  // If the handshake failed because the peer's chain was refused: why.
  const std::optional<trust::Refusal>& refusal() const { return refusal_; }
  const std::string& refused_name() const { return refused_name_; }  // the common name in a device's refused leaf
  // Called once with the peer's certificate (DER) if its chain is accepted.
  using OnVerified = std::function<void(std::span<const uint8_t>)>;
  void on_verified(OnVerified tell) { on_verified_ = std::move(tell); }

  // Keeps the first bytes that the peer sent, so that the log can name what its ClientHello offered.
  void keep_hello(std::span<const uint8_t> received);
  std::span<const uint8_t> hello() const { return hello_; }

  // Server only: lets the name that the device asks for choose among the certificates of `context`, which must outlive
  // the handshake.
  void choose_from(const ServerContext& context) { server_ = &context; }

  // Server only: the peer's chain as sent, once it has been accepted.
  CertificateChain& peer_chain() { return peer_chain_; }
  // Server only, once it is done: empty if the device sent no certificate, or if keyd needs no proof.
  DeviceProof take_proof();

  // For the callbacks in callbacks.cpp. On a fiber.
  using Chain = std::span<const std::span<const uint8_t>>;
  // `chain`: leaf first, as sent. `key_usable`: whether wolfSSL can verify signatures with the leaf's key. Returns
  // false after sending the alert.
  bool accepts_peer(Chain chain, bool key_usable);
  void show_certificate_for(std::string_view server_name);
  // Returns 0, or -1, after which wolfSSL fails the handshake.
  int sign(ipc::Scheme scheme, std::span<const uint8_t> wolf_input, std::span<uint8_t> signature, uint32_t& size);

 private:
  bool compose_request(ipc::Sign& request, std::span<const uint8_t> wolf_input, std::span<uint8_t> scratch);
  bool show_messages(ipc::Sign& request);
  bool has_mark();
  bool wait_for(std::optional<ipc::Client::Ticket> ticket);  // parks until keyd says ok; else false and not_signed_
  void on_answer(const ipc::Client::Answer& answer);
  Progress resume();
  Progress settle();
  void judge();

  Runtime& runtime_;
  WOLFSSL* ssl_;
  SigningKey key_;
  trust::Validator* validator_;  // the context's
  const ServerContext* server_ = nullptr;
  std::function<void(Progress)> on_resumed_;
  OnVerified on_verified_;
  std::unique_ptr<TranscriptRecorder> recorder_;  // null if nothing is recorded, or keyd has the messages
  ipc::Presence presence_ = ipc::Presence::none;  // server only: what its messages will be as a proof
  std::unique_ptr<Fiber> fiber_;
  std::optional<ipc::Client::Ticket> ticket_;
  std::optional<ipc::Status> status_;  // keyd's answer to the parked request
  std::array<uint8_t, ipc::kMaxSignature> signature_{};
  size_t signature_size_ = 0;
  std::optional<NotSigned> not_signed_;
  bool abandoned_ = false;
  Chain to_judge_;  // while the fiber waits for judge()
  bool key_usable_ = false;
  std::optional<trust::Refusal> refusal_;
  std::string refused_name_;
  bool exhausted_ = false;
  int result_ = 0, error_ = 0;
  std::vector<uint8_t> hello_;
  CertificateChain peer_chain_;
};

// The I/O context of every connection whose context has the signature callbacks.
class HandshakeOwner {
 public:
  virtual Handshake* handshake() = 0;

 protected:
  ~HandshakeOwner() = default;
};

}  // namespace relayd::tls
