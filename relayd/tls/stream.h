// A byte stream over a non-blocking TCP socket, with or without TLS. Both legs of a session are streams.
//
//   server_handshake / client_handshake ──on_open──► open ──on_data…──► on_end ──close()──► on_closed
//         ▲ (upgrade)                                 │
//   plain ┴───────────────────────────────────────────┘
//
// Reading: one receive per readiness event into the worker's scratch buffer, all its plaintext in one on_data.
// Writing: never refused, never blocking. Bytes that the kernel does not take are kept (congested()); the caller then
// stops its source until on_drained, so the stream keeps at most what one event of the source brings.
// on_end: the peer has closed or failed; at most once, and not after close(). on_closed: once, after close(), when
// everything written has reached the kernel or can't. Destruction closes at once. Callbacks may call any method but
// must not destroy the stream. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/poll.h"
#include "common/tls/alert.h"
#include "relayd/handover/socket_address.h"
#include "relayd/tls/context.h"
#include "relayd/tls/error_words.h"
#include "relayd/tls/handshake.h"

struct WOLFSSL;

namespace relayd::tls {

using common::tls::Alert;

class Stream;

struct End {
  enum class Cause : uint8_t {
    closed,            // close_notify or FIN
    lost,              // reset, unreachable
    timed_out,         // the peer stopped acknowledging or reading (tcp(7): keepalive, TCP_USER_TIMEOUT)
    own_certificate,   // the peer refused our certificate (alert)
    peer_certificate,  // we refused the peer's chain
    signature,         // keyd did not sign
    exhausted,         // this process has no memory left for a handshake
    tls,               // any other TLS failure
  };
  Cause cause = Cause::closed;
  std::string text;                   // for the log; how to fix it is not in it
  std::optional<ipc::Status> status;  // signature: keyd's answer; nullopt: no answer in time
  std::optional<Alert> alert = {};    // with which the peer ended it
  std::string advice = {};            // peer_certificate: the fix
  trust::Doubt doubt = {};            // peer_certificate: the kind
  Fault fault = {};                   // tls
  std::string refused_name = {};      // peer_certificate: the common name in a device's, which proves nothing

  // An everyday end, by the network or the peer; anything else is a failure.
  bool is_ordinary() const { return cause == Cause::closed || cause == Cause::lost || cause == Cause::timed_out; }
};

// What a handshake has agreed on: "TLSv1.3", and the names of tls_choices.h. Without TLS: "plain", "" and "".
struct Parameters {
  std::string_view version{}, suite{}, group{};
};

class StreamHandler {
 public:
  virtual void on_open(Stream& stream) = 0;
  virtual void on_data(Stream& stream, std::span<const uint8_t> bytes) = 0;
  virtual void on_drained(Stream& stream) = 0;
  virtual void on_end(Stream& stream, const End& end) = 0;
  virtual void on_closed(Stream& stream) = 0;

 protected:
  ~StreamHandler() = default;
};

struct SslDeleter {
  void operator()(WOLFSSL* ssl) const;
};

class Stream final : private HandshakeOwner {
 public:
  // A connected socket, non-blocking. The runtime and the handler must outlive the stream.
  Stream(Runtime& runtime, common::Fd socket, StreamHandler& handler);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Call exactly one of these first. False: it could not start (no memory, or our certificate can't be used).
  void plain();  // open at once, without on_open
  // Also after plain(), to upgrade: `begun` are the bytes that came already and belong to the handshake. They may end
  // it, so this may call on_open, on_data and on_end: call it last.
  [[nodiscard]] bool server_handshake(const ServerContext& context, SigningKey key,
                                      std::span<const uint8_t> begun = {});
  // `on_verified`: Handshake::on_verified().
  [[nodiscard]] bool client_handshake(const ClientContext& context, const CertificateChain& own, SigningKey key,
                                      Hello hello, Handshake::OnVerified on_verified = {});
  // Like client_handshake, but sends no certificate and needs no keyd.
  [[nodiscard]] bool anonymous_handshake(const ClientContext& context, Hello hello,
                                         Handshake::OnVerified on_verified = {});
  // As relayd itself: with the context's certificate, or anonymous without one.
  [[nodiscard]] bool own_handshake(const ClientContext& context, const ipc::Origin& origin, Hello hello);
  // Before any of them: bytes that go ahead of everything else, together with what follows.
  void send_first(std::span<const uint8_t> bytes) { held_.assign(bytes.begin(), bytes.end()); }

  // With TLS, records have at most `most_in_record` bytes; the limits of the peer and of the context also apply.
  void write(std::span<const uint8_t> bytes, size_t most_in_record = SIZE_MAX);
  // Bytes of the largest record that the peer has sent since the handshake.
  size_t largest_record() const { return largest_record_; }
  bool congested() const { return !pending_.empty(); }
  void pause() { paused_ = true, watch(); }
  void resume();  // may call on_end at once: call it last
  bool paused() const { return paused_; }
  bool was_asked_for_certificate() const;  // client only, once it is open
  // Limits one event's receive to `most` bytes, if that is less than the runtime's limit.
  void limit_receive(size_t most) { most_received_ = std::min(most, most_received_); }
  // Keeps at most `watermark` bytes for a slow reader: less is received at once. At least kLeastWatermark.
  void limit_kept(size_t watermark) { limit_receive(watermark - kRecord); }
  // True if the kernel holds unread bytes from the peer, or its FIN. One system call.
  bool has_unread() const;
  // While congested(): when the kernel last took some of the kept bytes (uv_now). push() tries again now.
  uint64_t progress_at() const { return progress_at_; }
  void push();
  // How long sent data may stay unacknowledged before the peer counts as lost (tcp(7), TCP_USER_TIMEOUT).
  void set_user_timeout(std::chrono::milliseconds timeout);
  // Bytes that the peer's host has not acknowledged yet (a FIN counts as one), and the total that it has acknowledged.
  size_t undelivered() const { return pending_.size() - pending_sent_ + unacknowledged(); }
  uint64_t delivered() const { return sent_ - unacknowledged(); }
  // Half-closes after the written data: close_notify, FIN. Reading continues; nothing more can be written.
  void end_writing();
  void close();

  SocketAddress local_address() const { return SocketAddress::bound_to(socket_.get()); }
  bool closed() const { return state_ == State::closed; }
  bool ended() const { return ended_ && !end_; }                                // on_end has been called
  bool awaits_signature() const { return handshake_ && handshake_->parked(); }  // from keyd
  bool exhausted() const { return handshake_ && handshake_->exhausted(); }      // why client_handshake failed
  // Server side, from on_open on: the device's verified chain; empty if it sent none. Can be taken once.
  CertificateChain take_peer_chain() { return std::move(peer_chain_); }
  DeviceProof take_proof() { return std::move(proof_); }  // likewise
  const char* tls_version() const;                        // "TLSv1.3", or "plain"
  Parameters parameters() const;
  bool took_hybrid() const;  // the peer took X25519MLKEM768 for the key exchange
  // The peer asked for a TLS 1.2 renegotiation, and wolfSSL declined it.
  bool has_declined_renegotiation() const;

  // The first bytes that the peer sent during the handshake, at most kFirstBytes.
  static constexpr size_t kFirstBytes = 16;
  std::span<const uint8_t> first_bytes() const { return std::span(first_).first(first_size_); }

  static void set_io_callbacks(WOLFSSL_CTX* context);

 private:
  enum class State : uint8_t { handshake, open, flushing, lingering, closed };

  Handshake* handshake() override { return handshake_.get(); }
  bool begin(WOLFSSL_CTX* context, SigningKey key, trust::Validator* validator);
  bool begin_client(const ClientContext& context, Hello hello);
  void take_begun(std::span<const uint8_t> begun);
  void on_progress(Handshake::Progress progress);
  void fail_handshake();
  void on_ready(int events);
  void watch();
  void open();

  void pump();
  size_t read_plain();
  size_t read_tls();
  std::span<const uint8_t> receive();
  void keep_first(std::span<const uint8_t> received);
  void keep_leftover();

  void flush();
  void hold();
  void send_or_keep(std::span<const uint8_t> bytes);
  void send_pending();
  std::span<const uint8_t> send_large(std::span<const uint8_t> record);
  size_t send(std::span<const uint8_t> bytes, int flags = 0);

  void end(End::Cause cause, std::string text);
  void end_tls(int wolf_error);
  std::string offers() const;  // a clause about a device's ClientHello, for an error text; may be empty
  void end_lost();
  void report_end();
  void say_close_notify();
  void say_why(int alert);
  void give_up();
  void after_flush();
  void discard();
  size_t unacknowledged() const;
  void finish();

  static int receive_callback(WOLFSSL*, char* out, int size, void* self);
  static int send_callback(WOLFSSL*, char* data, int size, void* self);

  Runtime& runtime_;
  StreamHandler& handler_;
  common::Fd socket_;
  std::unique_ptr<common::Poll> poll_;
  std::unique_ptr<WOLFSSL, SslDeleter> ssl_;
  std::unique_ptr<Handshake> handshake_;  // gone once open
  CertificateChain peer_chain_;
  DeviceProof proof_;
  std::unique_ptr<End> end_;      // an end not yet reported, because the reader is paused
  std::vector<uint8_t> held_;     // an unfinished flight of the handshake
  std::vector<uint8_t> pending_;  // bytes that the kernel has not taken; empty if it took everything
  size_t pending_sent_ = 0;       // bytes of pending_ that the kernel has taken since
  uint64_t sent_ = 0;             // bytes that the kernel took in all
  uint64_t progress_at_ = 0;
  size_t most_received_;
  uint16_t largest_record_ = 0;
  std::vector<uint8_t> leftover_;    // unread bytes from an earlier event, in which the handshake parked
  std::span<const uint8_t> window_;  // received, not yet passed to wolfSSL; between events all of leftover_
  std::array<uint8_t, kFirstBytes> first_{};
  uint8_t first_size_ = 0;
  State state_ = State::handshake;
  bool more_follows_ = false;  // after the record that is being written
  bool received_ = false;      // this event's one receive has been made
  bool paused_ = false;
  bool peer_closed_ = false;  // nothing more can be received
  bool broken_ = false;       // nothing more can be sent
  bool write_ended_ = false;  // by end_writing() or close()
  bool ended_ = false;        // end() was called
  bool said_fatal_ = false;   // wolfSSL has sent a fatal alert: nothing may follow it
  int error_ = 0;             // the socket's errno, which the kernel reports only to the first call
};

}  // namespace relayd::tls
