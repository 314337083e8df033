#include "relayd/tls/handshake.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "common/tls/handshake_signature.h"
#include "common/tls/sha2.h"
#include "common/tls/spki.h"
#include "common/tls/wolf_shim.h"
#include "relayd/tls/client_hello.h"
#include "relayd/tls/context.h"

namespace relayd::tls {
namespace {

using common::tls::Side;

// True if wolfSSL's input is `content` or its digest (a PKCS#1 DigestInfo ends with the digest).
bool is_input_for(std::span<const uint8_t> wolf_input, std::span<const uint8_t> content, ipc::Scheme scheme) {
  const size_t size = facts_of(scheme).hash_size;
  if (size == 0) return std::ranges::equal(wolf_input, content);
  uint8_t digest[WC_MAX_DIGEST_SIZE];
  return wolf_input.size() >= size && common::tls::sha2(content, std::span(digest, size)) &&
         std::ranges::equal(wolf_input.last(size), std::span(digest, size));
}

// The refusal of a leaf whose chain is accepted, but whose key wolfSSL can't use to verify a signature.
trust::Refusal unusable_key() {
  return {0,
          0,
          "",
          "has a key of a type or size that is not supported for TLS",
          "have it issued for a P-256, P-384, P-521, Ed25519 or RSA key (2048 to 4096 bits)",
          common::tls::Alert::unsupported_certificate};
}

std::optional<trust::Refusal> keep_chain(Handshake::Chain chain, CertificateChain& kept) {
  const auto spki = common::tls::spki_hash(chain.front());
  if (!spki) return unusable_key();
  kept.spki = *spki;
  kept.leaf_size = chain.front().size();
  for (const auto& der : chain) kept.der.insert(kept.der.end(), der.begin(), der.end());
  return std::nullopt;
}

}  // namespace

Handshake::Handshake(Runtime& runtime, WOLFSSL* ssl, SigningKey key, trust::Validator* validator,
                     std::function<void(Progress)> on_resumed)
    : runtime_(runtime), ssl_(ssl), key_(std::move(key)), validator_(validator), on_resumed_(std::move(on_resumed)) {
  if (key_.role != ipc::Role::listener) recorder_ = std::make_unique<TranscriptRecorder>(ssl);
  else if (wolf_shim_is_server(ssl) && validator && runtime_.keyd->require_presence())
    recorder_ = std::make_unique<TranscriptRecorder>(ssl, &runtime_.keyd->mark());
}

Handshake::~Handshake() {
  if (!parked()) return;
  abandoned_ = true;
  if (ticket_) runtime_.keyd->cancel(*ticket_);
  fiber_->resume();  // sign() returns -1, wolfSSL unwinds
  settle();
}

Handshake::Progress Handshake::advance() {
  fiber_ = runtime_.fibers.take();
  exhausted_ = !fiber_;
  if (exhausted_) return Progress::failed;
  const TranscriptRecorder::Scope recording(recorder_.get());
  fiber_->start([this] {
    if (has_mark()) result_ = wolf_shim_is_server(ssl_) ? wolfSSL_accept(ssl_) : wolfSSL_connect(ssl_);
  });
  return settle();
}

// A proof may need the mark of the keyd that signs, so the ServerHello waits until there is one.
bool Handshake::has_mark() {
  const bool needs_mark = recorder_ && key_.role == ipc::Role::listener && presence_ == ipc::Presence::none;
  return !needs_mark || runtime_.keyd->connected() ||
         wait_for(runtime_.keyd->stats([this](const ipc::Client::Answer& answer) { on_answer(answer); }));
}

Handshake::Progress Handshake::resume() {
  const TranscriptRecorder::Scope recording(recorder_.get());
  fiber_->resume();
  return settle();
}

Handshake::Progress Handshake::settle() {
  while (!to_judge_.empty()) {
    judge();
    fiber_->resume();
  }
  if (fiber_->suspended()) return Progress::parked;
  runtime_.fibers.give(std::move(fiber_));
  if (not_signed_) return Progress::failed;
  if (result_ == WOLFSSL_SUCCESS) return Progress::done;
  error_ = wolfSSL_get_error(ssl_, result_);
  return error_ == WOLFSSL_ERROR_WANT_READ || error_ == WOLFSSL_ERROR_WANT_WRITE ? Progress::wants_io
                                                                                 : Progress::failed;
}

bool Handshake::compose_request(ipc::Sign& request, std::span<const uint8_t> wolf_input, std::span<uint8_t> scratch) {
  const bool server = wolf_shim_is_server(ssl_);
  if (wolfSSL_version(ssl_) == TLS1_3_VERSION) {
    const int size = wolf_shim_tls13_transcript_hash(ssl_, scratch.data());
    if (size < 0) return false;
    request.kind = server ? ipc::Kind::tls13_server : ipc::Kind::tls13_client;
    request.content = scratch.first(static_cast<size_t>(size));
    const common::tls::CertificateVerifyContent covered(server ? Side::server : Side::client, request.content);
    if (!is_input_for(wolf_input, covered.bytes(), request.scheme)) return false;
    presence_ = size == 48 ? ipc::Presence::tls13_sha384 : ipc::Presence::tls13_sha256;
    const bool bound = key_.role == ipc::Role::device && runtime_.keyd->bind_remote();
    return !bound || show_messages(request);
  }
  if (server) {
    const unsigned char* data = nullptr;
    size_t size = 0;
    if (wolf_shim_tls12_server_key_exchange(ssl_, &data, &size) != 0) return false;
    request.kind = ipc::Kind::tls12_server;
    request.content = {data, size};
    presence_ = ipc::Presence::tls12;
  } else {
    if (recorder_->overflowed()) return false;
    request.kind = ipc::Kind::tls12_client;
    request.content = recorder_->messages();
  }
  return is_input_for(wolf_input, request.content, request.scheme);
}

// Replaces the hash in `request` by the recorded messages, if it is theirs.
bool Handshake::show_messages(ipc::Sign& request) {
  uint8_t buffer[WC_MAX_DIGEST_SIZE];
  const auto hash = std::span(buffer).first(request.content.size());
  if (recorder_->overflowed() || !common::tls::sha2(recorder_->messages(), hash) ||
      !std::ranges::equal(request.content, hash))
    return false;
  request.kind = ipc::Kind::tls13_client_bound;
  request.content = recorder_->messages();
  return true;
}

DeviceProof Handshake::take_proof() {
  if (!recorder_ || peer_chain_.empty()) return {};
  if (recorder_->overflowed()) return DeviceProof::too_long();
  return {presence_, recorder_->take()};
}

void Handshake::keep_hello(std::span<const uint8_t> received) {
  const auto more = received.first(std::min(received.size(), kKeptOfHello - hello_.size()));
  hello_.insert(hello_.end(), more.begin(), more.end());
}

bool Handshake::accepts_peer(Chain chain, bool key_usable) {
  key_usable_ = key_usable;
  to_judge_ = chain;
  Fiber::suspend();  // judge() runs on the main stack: libcrypto needs more stack than a fiber has
  if (!refusal_) return true;
  // Stream drops the alert that wolfSSL sends by itself, which is bad_certificate whatever the cause.
  wolf_shim_send_fatal_alert(ssl_, number(refusal_->alert));
  return false;
}

void Handshake::judge() {
  const Chain chain = std::exchange(to_judge_, {});
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  refusal_ = validator_->validate(chain, std::chrono::duration_cast<std::chrono::seconds>(now).count()).refusal;
  if (!refusal_ && !key_usable_) refusal_ = unusable_key();
  if (refusal_ && wolf_shim_is_server(ssl_)) refused_name_ = trust::names_in(chain.front()).common_name;
  if (refusal_) return;
  if (wolf_shim_is_server(ssl_)) refusal_ = keep_chain(chain, peer_chain_);
  if (!refusal_ && on_verified_) on_verified_(chain.front());
}

void Handshake::show_certificate_for(std::string_view server_name) {
  if (!server_) return;
  const auto& chosen = server_->certificate_for(server_name);
  wolf_shim_use_certificate_of(ssl_, chosen.context.get());
  key_.spki = chosen.spki;
}

int Handshake::sign(ipc::Scheme scheme, std::span<const uint8_t> wolf_input, std::span<uint8_t> signature,
                    uint32_t& size) {
  ipc::Sign request;
  request.key = {key_.role, key_.spki, key_.origin, key_.client_id};
  request.scheme = scheme;
  uint8_t scratch[WC_MAX_DIGEST_SIZE];
  if (abandoned_ || !compose_request(request, wolf_input, scratch)) {
    if (!abandoned_)
      common::log::error("signature_not_asked",
                         key_.role != ipc::Role::listener && recorder_->overflowed()
                             ? "keyd takes at most 32 KiB of handshake messages, and these are more; shorten the "
                               "certificate chains of the device and the remote broker"
                             : "refused to sign: wolfSSL asked for a signature that does not belong to this handshake");
    not_signed_ = NotSigned{ipc::Status::internal};
    return -1;
  }
  const auto ticket = runtime_.keyd->sign(request, [this](const ipc::Client::Answer& answer) { on_answer(answer); });
  // Safe: wolfSSL hashes nothing before advance() has ended the recording.
  if (key_.role != ipc::Role::listener) recorder_.reset();
  if (!wait_for(ticket)) return -1;
  if (signature_size_ == 0 || signature_size_ > signature.size()) {
    not_signed_ = NotSigned{ipc::Status::internal};
    return -1;
  }
  std::copy_n(signature_.begin(), signature_size_, signature.begin());
  size = static_cast<uint32_t>(signature_size_);
  return 0;
}

bool Handshake::wait_for(std::optional<ipc::Client::Ticket> ticket) {
  status_ = ticket ? std::nullopt : std::optional(ipc::Status::busy);
  if (ticket) {
    ticket_ = ticket;
    Fiber::suspend();
    ticket_.reset();
  }
  if (status_ == ipc::Status::ok) return true;
  not_signed_ = NotSigned{status_};
  return false;
}

void Handshake::on_answer(const ipc::Client::Answer& answer) {
  if (answer.arrived) {
    status_ = answer.status;
    signature_size_ = answer.payload.size();  // the decoder has ensured that it is at most kMaxSignature
    std::copy(answer.payload.begin(), answer.payload.end(), signature_.begin());
  }
  const auto notify = on_resumed_;  // a copy: the owner may destroy this handshake
  notify(resume());
}

}  // namespace relayd::tls
