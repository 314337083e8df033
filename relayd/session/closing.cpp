// How a session ends: which answer the device gets, and how pending data is delivered first.
//
// The device's DISCONNECT goes to the broker, and the broker's answer goes back, until the broker closes (parting). A
// closing leg may take as long as it needs while its peer keeps reading; send_timeout without progress ends it. Once
// the peer has read everything, it has kLinger to close its own side.
#include <algorithm>

#include "common/log.h"
#include "relayd/session/alert_advice.h"
#include "relayd/session/session.h"

namespace relayd {
namespace {

using common::log::Level;
using mqtt::DisconnectReason;
using mqtt::Refusal;

constexpr Milliseconds kLinger{5000};
constexpr Milliseconds kLook{1000};  // how often the peers' progress is checked

}  // namespace

// Maps keyd's answer to a CONNACK. nullopt: keyd did not answer in time.
Refusal Session::refusal_of(std::optional<ipc::Status> status) {
  if (!status) return Refusal::server_unavailable;
  switch (*status) {
    case ipc::Status::mismatch: return Refusal::not_authorized;
    case ipc::Status::busy: return Refusal::server_busy;
    default: return Refusal::server_unavailable;
  }
}

// wolfSSL has declined with an alert (RFC 5246 section 7.2.2); the broker decides whether to continue.
void Session::note_renegotiation() {
  if (renegotiation_logged_ || !upstream_ || !upstream_->has_declined_renegotiation()) return;
  renegotiation_logged_ = true;
  write_log(
      Level::warning, "renegotiation_declined",
      "the remote broker asked for a TLS 1.2 renegotiation; relayd declined it, and the broker may end the session",
      common::log::Field{"client_id", client_id_});
}

void Session::upstream_ended(const tls::End& end) {
  note_renegotiation();
  if (end.cause == tls::End::Cause::timed_out) count(services_.counters.send_timeouts);
  if (state_ == State::parting) return finish("the device disconnected");
  if (state_ == State::awaiting_connack && down_.connack_code()) return refused_by_broker();
  if (state_ == State::relaying) return disconnect(DisconnectReason::unspecified_error, broker() + " " + end.text);
  const bool by_broker = end.cause != tls::End::Cause::own_certificate && end.cause != tls::End::Cause::signature &&
                         end.cause != tls::End::Cause::exhausted;
  if (state_ == State::remote_handshake && by_broker) return try_next_address(why_no_tls(end));
  const std::string why = broker() + " ended the connection";
  switch (end.cause) {
    case tls::End::Cause::peer_certificate:
      return refuse(Refusal::server_unavailable, broker() + "'s certificate was refused", advised(end));
    case tls::End::Cause::own_certificate:
      if (!to_remote_)
        return refuse(Refusal::server_unavailable, broker() + " refused relayd's certificate", advised(end));
      return refuse(Refusal::not_authorized, broker() + " refused the device's certificate",
                    advised(end) + shown_from());
    case tls::End::Cause::signature:
      if (end.status == ipc::Status::superseded) return supersede();
      if (end.status == ipc::Status::mismatch && refused_for_file(*end.status)) return;  // replaced since the lookup
      return refuse(refusal_of(end.status), to_remote_ ? "no signature for the device" : "no signature for relayd",
                    end.text);
    case tls::End::Cause::exhausted: return refuse(Refusal::server_busy, why, end.text);
    default:
      if (state_ == State::awaiting_connack) broker_closed_silently();
      return refuse(Refusal::server_unavailable, why, advised(end));
  }
}

void Session::refuse(Refusal refusal, std::string_view why, std::string_view detail, std::string_view fix) {
  const auto text = refusal == Refusal::use_another_server ? other_server() : why;
  if (!broker_answered())
    to_device(mqtt::encode_connack(connect_.version, refusal, text, connect_.maximum_packet_size).bytes());
  std::string cause(why);
  if (!detail.empty()) cause.append(": ").append(detail);
  count(services_.counters.refused[static_cast<size_t>(refusal)]);
  refused_ = true;
  finish("refused: " + cause, Level::warning, &services_.log_limits.refusals[static_cast<size_t>(refusal)], fix);
}

void Session::disconnect(DisconnectReason reason, std::string_view why) {
  const auto text = reason == DisconnectReason::use_another_server ? other_server() : why;
  // Not before a successful CONNACK (MQTT-3.14.0-1), and not inside a packet.
  if (empty_broker_ ||
      (state_ == State::relaying && down_.at_boundary() && down_.state() == mqtt::Framer::State::running))
    to_device(mqtt::encode_disconnect(connect_.version, reason, text, connect_.maximum_packet_size).bytes());
  finish(why, Level::warning);
}

// ---- delivering pending data ---------------------------------------------------------------------------------------

Milliseconds Session::Progress::idle(const tls::Stream& stream, uint64_t now) {
  if (const uint64_t taken = stream.delivered(); taken > delivered) *this = {taken, now};
  if (stream.congested()) at = std::max(at, stream.progress_at());
  return Milliseconds(now - std::min(at, now));
}

// The device has sent DISCONNECT. The broker may answer (a malformed one gets DISCONNECT 0x81 or 0x82) and then closes
// the connection. If the device closes first, that is passed on.
void Session::part() {
  device_ended_ = true;
  throttle_.reset();
  stalled_.reset();
  move_to(State::parting);
  if (device_has_ended()) upstream_->end_writing();
}

void Session::start_lingering() {
  // The first check takes the first measurement. Most peers have closed by then and so cost no system call.
  device_progress_ = upstream_progress_ = {0, now()};
  deadline_.start(std::min(kLook, listener().send_timeout));
}

// True if there is nothing left to wait for. Otherwise lowers `left` to the earliest time at which that could be so.
bool Session::is_over(const tls::Stream& stream, Progress& progress, Milliseconds& left) {
  if (stream.closed()) return true;
  const Milliseconds patience = stream.undelivered() > 0 ? listener().send_timeout : kLinger;
  const Milliseconds idle = progress.idle(stream, now());
  left = std::min(left, patience - idle);
  return idle >= patience;
}

void Session::check_lingering() {
  Milliseconds left = kLook;
  const bool upstream = !upstream_ || is_over(*upstream_, upstream_progress_, left);
  const bool nothing_for_device = state_ == State::parting && !device_.congested();
  const bool device = nothing_for_device || is_over(device_, device_progress_, left);
  if (!upstream || !device) return deadline_.start(std::max(left, Milliseconds(1)));
  if (state_ == State::parting) return finish("the device disconnected");
  services_.retire(services_.owner, id_);
}

// ---- the end -------------------------------------------------------------------------------------------------------

// The relay ends the session, and tells the device in the way that the session's state allows.
void Session::end(Refusal before_connack, DisconnectReason after, std::string_view why) {
  switch (state_) {
    case State::proxy_header:
    case State::device_handshake:
    case State::upgrading:
    case State::awaiting_connect: return finish(why);
    case State::looking_up:
    case State::dialing:
    case State::remote_handshake:
    case State::awaiting_connack: return refuse(before_connack, why);
    case State::relaying: return disconnect(after, why);
    case State::parting: return finish(why);
    case State::closing: return;
  }
}

static_assert(Config::kMaxServerReference <= mqtt::kMaxReason);

void Session::drain(Leave where) {
  if (!std::exchange(leaving_, where) && awaits_connect()) return;
  if (goes_elsewhere(where)) end(Refusal::use_another_server, DisconnectReason::use_another_server, "draining");
  else end(Refusal::server_unavailable, DisconnectReason::server_shutting_down, "draining");
}

void Session::end_revoked() {
  end(Refusal::not_authorized, DisconnectReason::not_authorized, "the device's certificate has been revoked");
}

void Session::end_taken_over(const Taken& taken) {
  if (connect_time_ >= taken.at) return;
  end(Refusal::server_unavailable, DisconnectReason::session_taken_over, "the device has connected again");
}

bool Session::end_by_operator() {
  if (is_ending()) return false;
  end(Refusal::server_unavailable, DisconnectReason::administrative_action, "closed by the operator");
  return true;
}

// The device ended the session, by what it did or failed to do.
void Session::device_left(std::string_view why, Level level) {
  device_ended_ = true;
  if (state_ == State::device_handshake) finish(why, level, &services_.log_limits.failed_handshakes);
  else if (state_ == State::upgrading || state_ == State::awaiting_connect)
    finish(why, level, &services_.log_limits.failed_connects);
  else finish(why, level);
}

void Session::finish(std::string_view why, Level level, common::LogLimit* limit, std::string_view fix) {
  if (state_ == State::closing) return;
  if (state_ == State::device_handshake) {
    count(services_.counters.handshakes_failed);
    count(services_.counters.handshake_failures[static_cast<size_t>(handshake_failure_)]);
  }
  log_end(why, level, limit, fix);
  remember_end(why, fix);
  if (trace_) trace_end(why, fix);
  close_streams();
}

void Session::close_streams() {
  move_to(State::closing);
  if (is_up_) uncount(services_.counters.sessions);
  if (is_up_ && device_ended_) note_flapping();
  leave_waiting();
  leave_empty_broker();
  throttle_.reset();
  stalled_.reset();
  if (lookup_) services_.keyd.cancel(*lookup_);
  lookup_.reset();
  from_file_.reset();
  dial_.reset();
  if (websocket_) send_close(device_ended_ ? websocket::kNormal : websocket::kGoingAway);
  device_.close();
  if (upstream_) upstream_->close();
}

}  // namespace relayd
