#include "relayd/tls/stream.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/tls/wolf_shim.h"
#include "relayd/tls/client_hello.h"
#include "relayd/tls/error_words.h"

namespace relayd::tls {
void SslDeleter::operator()(WOLFSSL* ssl) const { wolfSSL_free(ssl); }

Stream::Stream(Runtime& runtime, common::Fd socket, StreamHandler& handler)
    : runtime_(runtime), handler_(handler), socket_(std::move(socket)), most_received_(Runtime::kReceive) {
  poll_ = std::make_unique<common::Poll>(runtime.loop, socket_.get(), this, common::call<&Stream::on_ready>);
  poll_->set_patient(true);
}

Stream::~Stream() {
  handshake_.reset();  // before ssl_: a parked fiber may be inside it
  runtime_.to_send.clear();
  poll_.reset();
}

void Stream::open() {
  state_ = State::open;
  poll_->set_patient(false);
}

void Stream::plain() {
  open();
  watch();
}

// ---- events --------------------------------------------------------------------------------------------------------

void Stream::watch() {
  if (!poll_) return;
  int events = 0;
  switch (state_) {
    case State::handshake: events = handshake_ && handshake_->parked() ? 0 : UV_READABLE; break;
    // A broken stream is read even if paused: an alert with the reason may still be unread.
    case State::open: events = !ended_ && (!paused_ || broken_) ? UV_READABLE : 0; break;
    // Incoming data is discarded, so that the peer never has to wait for us to read before it reads.
    case State::flushing: events = peer_closed_ || error_ != 0 ? 0 : UV_READABLE; break;
    case State::lingering: events = UV_READABLE; break;
    case State::closed: return;
  }
  if (congested()) events |= UV_WRITABLE;
  poll_->watch(events);
}

void Stream::on_ready(int events) {
  received_ = false;
  if ((events & UV_WRITABLE) && congested()) send_pending();
  if (events & UV_READABLE) {
    if (state_ == State::handshake && !handshake_->parked()) {
      on_progress(handshake_->advance());
    } else if (state_ == State::open && !ended_ && (!paused_ || broken_)) {
      pump();
    } else if (state_ == State::lingering || state_ == State::flushing) {
      discard();
    }
  }
  watch();
}

void Stream::resume() {
  paused_ = false;
  watch();
  if (end_) report_end();
}

// ---- reading -------------------------------------------------------------------------------------------------------

void Stream::pump() {
  const size_t size = ssl_ ? read_tls() : read_plain();
  keep_leftover();
  flush();  // wolfSSL may have queued something itself: KeyUpdate, an alert
  if (size > 0) handler_.on_data(*this, std::span(runtime_.plain).first(size));
  if (!paused_) report_end();
  watch();
}

size_t Stream::read_plain() {
  const auto received = receive();
  std::copy(received.begin(), received.end(), runtime_.plain.begin());
  if (received.empty() && error_ != 0) end_lost();
  if (received.empty() && peer_closed_) end(End::Cause::closed, "closed the connection");
  return received.size();
}

size_t Stream::read_tls() {
  size_t size = 0;
  while (size < runtime_.plain.size()) {
    const int got =
        wolfSSL_read(ssl_.get(), runtime_.plain.data() + size, static_cast<int>(runtime_.plain.size() - size));
    if (got <= 0) {
      end_tls(wolfSSL_get_error(ssl_.get(), got));
      break;
    }
    size += static_cast<size_t>(got);  // one record: 16 KiB at most
    largest_record_ = std::max(largest_record_, static_cast<uint16_t>(got));
  }
  return size;
}

// One receive per event: the kernel rarely has more, and other connections are waiting.
std::span<const uint8_t> Stream::receive() {
  if (received_) return {};
  received_ = true;
  const ssize_t got = ::recv(socket_.get(), runtime_.received.data(), most_received_, MSG_DONTWAIT);
  if (got > 0) {
    const auto received = std::span(runtime_.received).first(static_cast<size_t>(got));
    if (state_ == State::handshake) keep_first(received);
    if (handshake_ && wolf_shim_is_server(ssl_.get())) handshake_->keep_hello(received);
    return received;
  }
  if (got == 0) peer_closed_ = true;
  else if (errno != EAGAIN && errno != EINTR) error_ = errno;
  return {};
}

void Stream::keep_first(std::span<const uint8_t> received) {
  const size_t more = std::min(received.size(), kFirstBytes - first_size_);
  std::copy_n(received.begin(), more, first_.begin() + first_size_);
  first_size_ = static_cast<uint8_t>(first_size_ + more);
}

bool Stream::has_unread() const {
  char byte = 0;
  const ssize_t got = ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

int Stream::receive_callback(WOLFSSL*, char* out, int size, void* context) {
  auto* self = static_cast<Stream*>(static_cast<HandshakeOwner*>(context));
  if (self->window_.empty()) self->window_ = self->receive();
  if (self->window_.empty()) {
    if (self->error_ != 0) return WOLFSSL_CBIO_ERR_CONN_RST;
    return self->peer_closed_ ? WOLFSSL_CBIO_ERR_CONN_CLOSE : WOLFSSL_CBIO_ERR_WANT_READ;
  }
  const size_t count = std::min(static_cast<size_t>(size), self->window_.size());
  std::memcpy(out, self->window_.data(), count);
  self->window_ = self->window_.subspan(count);
  return static_cast<int>(count);
}

// The window continues in the kept bytes: a parked handshake reads on when keyd answers, outside the stream's events.
void Stream::keep_leftover() {
  std::vector<uint8_t> rest(window_.begin(), window_.end());  // window_ may be in leftover_ itself
  leftover_.swap(rest);
  window_ = leftover_;
}

// ---- writing -------------------------------------------------------------------------------------------------------

// Nothing may follow a fatal alert (RFC 8446 section 6.2), but wolfSSL sometimes sends a second one for the same
// failure.
int Stream::send_callback(WOLFSSL* ssl, char* data, int size, void* context) {
  auto* self = static_cast<Stream*>(static_cast<HandshakeOwner*>(context));
  if (self->said_fatal_) return size;
  auto& to_send = self->runtime_.to_send;
  // The vector's own type: from char*, g++ 12 copies byte by byte, which took a fifth of a bulk transfer (measured).
  const auto* bytes = reinterpret_cast<const uint8_t*>(data);
  const auto rest = self->send_large({bytes, static_cast<size_t>(size)});
  to_send.insert(to_send.end(), rest.begin(), rest.end());
  self->said_fatal_ = wolf_shim_has_sent_fatal_alert(ssl);
  return size;
}

// A large record leaves straight from wolfSSL's buffer, if everything before it has left. Returns what is still to
// send.
std::span<const uint8_t> Stream::send_large(std::span<const uint8_t> record) {
  constexpr size_t kLarge = 8 * 1024;
  if (record.size() < kLarge || state_ != State::open || congested() || !held_.empty() || !runtime_.to_send.empty())
    return record;
  progress_at_ = uv_now(runtime_.loop);
  return record.subspan(send(record, more_follows_ ? MSG_MORE : 0));
}

void Stream::set_io_callbacks(WOLFSSL_CTX* context) {
  wolfSSL_CTX_SetIORecv(context, receive_callback);
  wolfSSL_CTX_SetIOSend(context, send_callback);
}

void Stream::write(std::span<const uint8_t> bytes, size_t most_in_record) {
  if (state_ != State::open || broken_ || write_ended_ || bytes.empty()) return;
  if (!ssl_) {
    if (held_.empty()) {
      send_or_keep(bytes);
    } else {
      runtime_.to_send.assign(bytes.begin(), bytes.end());
      flush();
    }
  } else {
    // The send callback takes everything, so that small records leave in one send. The next read reports any failure,
    // too.
    while (!bytes.empty() && !broken_) {
      const auto part = bytes.first(std::min({bytes.size(), std::max<size_t>(most_in_record, 1), kRecord}));
      more_follows_ = part.size() < bytes.size();
      if (wolfSSL_write(ssl_.get(), part.data(), static_cast<int>(part.size())) <= 0) broken_ = true;
      bytes = bytes.subspan(part.size());
    }
    flush();
  }
  watch();
}

void Stream::flush() {
  if (!held_.empty()) hold();
  send_or_keep(held_.empty() ? runtime_.to_send : std::exchange(held_, {}));
  runtime_.to_send.clear();
}

// Keeps what wolfSSL has written until the next flush(). Meanwhile other streams use runtime_.to_send.
void Stream::hold() {
  held_.insert(held_.end(), runtime_.to_send.begin(), runtime_.to_send.end());
  runtime_.to_send.clear();
}

void Stream::send_or_keep(std::span<const uint8_t> bytes) {
  if (!congested()) {
    bytes = bytes.subspan(send(bytes));
    progress_at_ = uv_now(runtime_.loop);
  }
  if (!broken_) pending_.insert(pending_.end(), bytes.begin(), bytes.end());
}

size_t Stream::send(std::span<const uint8_t> bytes, int flags) {
  if (bytes.empty() || broken_) return 0;
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT | flags);
  if (sent >= 0) sent_ += static_cast<uint64_t>(sent);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return 0;
  broken_ = true;  // keep errno here: the kernel reports an error once, and the next read would look like a FIN
  if (errno != EPIPE) error_ = errno;
  return 0;
}

void Stream::send_pending() {
  const size_t sent = send(std::span(pending_).subspan(pending_sent_));
  if (sent > 0) progress_at_ = uv_now(runtime_.loop);
  pending_sent_ += sent;
  if (!broken_ && pending_sent_ < pending_.size()) return;
  std::vector<uint8_t>().swap(pending_);  // frees the memory
  pending_sent_ = 0;
  if (state_ == State::flushing) return after_flush();
  if (state_ == State::open && write_ended_ && !broken_) ::shutdown(socket_.get(), SHUT_WR);
  if (state_ == State::open && !broken_) handler_.on_drained(*this);
}

void Stream::push() {
  if (congested() && state_ == State::open) send_pending();
  watch();
}

void Stream::set_user_timeout(std::chrono::milliseconds timeout) {
  // Capped at a day; an unsigned int of milliseconds holds 49. Can't fail on a TCP socket.
  const auto milliseconds = static_cast<unsigned>(std::min<int64_t>(timeout.count(), 86'400'000));
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

size_t Stream::unacknowledged() const {
  int queued = 0;  // tcp(7), SIOCOUTQ: bytes in the socket's send queue
  return socket_ && ioctl(socket_.get(), SIOCOUTQ, &queued) == 0 ? static_cast<size_t>(queued) : 0;
}

// ---- the end -------------------------------------------------------------------------------------------------------

void Stream::end(End::Cause cause, std::string text) {
  if (ended_) return;
  ended_ = true;
  end_ = std::make_unique<End>(End{cause, std::move(text), std::nullopt});
}

void Stream::end_tls(int wolf_error) {
  if (wolf_error == WOLFSSL_ERROR_WANT_READ || wolf_error == WOLFSSL_ERROR_WANT_WRITE) return;
  if (wolf_error == WOLFSSL_ERROR_ZERO_RETURN) return end(End::Cause::closed, "closed the connection");
  WOLFSSL_ALERT_HISTORY alerts{};
  if (wolfSSL_get_alert_history(ssl_.get(), &alerts) == WOLFSSL_SUCCESS && alerts.last_rx.level == 2 /* fatal */) {
    const auto alert = static_cast<Alert>(alerts.last_rx.code);
    std::string text = std::string("sent the TLS alert ") + name(alert) + " (" + std::to_string(number(alert)) + ")";
    if (alert == Alert::handshake_failure || alert == Alert::illegal_parameter) text += offers();
    end(refuses_certificate(alert) ? End::Cause::own_certificate : End::Cause::tls, std::move(text));
    if (!end_) return;
    end_->alert = alert;
    if (finds_nothing_in_common(alert)) end_->fault = Fault::nothing_in_common;
    return;
  }
  if (error_ != 0) return end_lost();
  if (peer_closed_) return end(End::Cause::closed, "closed the connection without a TLS close_notify");
  say_why(wolf_shim_alert_for(wolf_error));
  const std::string offered = wolf_shim_is_about_offers(wolf_error) ? offers() : "";
  end(End::Cause::tls, in_plain_words(wolf_error, wolf_shim_is_server(ssl_.get())) + offered);
  if (end_) end_->fault = fault_of(wolf_error);
}

std::string Stream::offers() const {
  const std::string offered = handshake_ ? offered_by(handshake_->hello()) : "";
  return offered.empty() ? "" : "; it offers " + offered;
}

void Stream::end_lost() { end(error_ == ETIMEDOUT ? End::Cause::timed_out : End::Cause::lost, strerror(error_)); }

void Stream::report_end() {
  if (!end_ || (state_ != State::open && state_ != State::handshake)) return;
  const auto end = std::move(end_);
  handler_.on_end(*this, *end);
}

void Stream::say_close_notify() {
  if (state_ == State::open && ssl_ && !broken_ && !write_ended_) wolfSSL_shutdown(ssl_.get());
  write_ended_ = true;
  flush();
}

void Stream::end_writing() {
  if (state_ != State::open || write_ended_) return;
  say_close_notify();
  if (!congested() && !broken_) ::shutdown(socket_.get(), SHUT_WR);
  watch();
}

void Stream::close() {
  if (state_ == State::flushing || state_ == State::lingering || state_ == State::closed) return;
  handshake_.reset();
  end_.reset();
  if (state_ == State::handshake) give_up();
  say_close_notify();
  state_ = State::flushing;
  if (!congested() || broken_) after_flush();
  watch();
}

// Sends the alert for a refusal, unless wolfSSL has sent one itself.
void Stream::say_why(int alert) {
  if (!ssl_ || broken_ || peer_closed_ || write_ended_ || error_ != 0) return;
  wolf_shim_send_fatal_alert(ssl_.get(), alert);
  flush();
}

// The owner abandons a handshake that has not failed: it timed out, or the other leg is gone. The broker gets
// user_canceled, which blames neither side (RFC 8446 section 6.1). A device does not: OpenSSL ignores that alert.
void Stream::give_up() {
  if (!ssl_ || broken_ || peer_closed_ || error_ != 0 || wolf_shim_is_over(ssl_.get())) return;
  if (wolf_shim_is_server(ssl_.get())) wolf_shim_send_fatal_alert(ssl_.get(), number(Alert::handshake_failure));
  else wolfSSL_SendUserCanceled(ssl_.get());
}

// Half-closes and waits until the peer closes: closing with unread data would send a reset, which can overtake the data
// just written (tcp(7)). The owner's deadline bounds the wait.
void Stream::after_flush() {
  if (broken_ || peer_closed_ || error_ != 0) return finish();
  ::shutdown(socket_.get(), SHUT_WR);
  state_ = State::lingering;
}

void Stream::discard() {
  const auto received = receive();
  if (received.empty() && (error_ != 0 || (peer_closed_ && state_ == State::lingering))) finish();
}

void Stream::finish() {
  state_ = State::closed;
  poll_.reset();
  socket_.reset();
  ssl_.reset();
  pending_.clear();
  handler_.on_closed(*this);
}

bool Stream::has_declined_renegotiation() const { return ssl_ && wolf_shim_has_declined_renegotiation(ssl_.get()); }

bool Stream::took_hybrid() const {
  const char* group = ssl_ ? wolfSSL_get_curve_name(ssl_.get()) : nullptr;
  return group && std::string_view(group) == "X25519MLKEM768";
}

Parameters Stream::parameters() const {
  if (!ssl_) return {tls_version()};
  const char* group = wolfSSL_get_curve_name(ssl_.get());
  return {tls_version(), suite_numbered(static_cast<uint16_t>(wolfSSL_get_current_cipher_suite(ssl_.get()))),
          group_written_as(group ? group : "")};
}

const char* Stream::tls_version() const { return ssl_ ? wolfSSL_get_version(ssl_.get()) : "plain"; }

}  // namespace relayd::tls
