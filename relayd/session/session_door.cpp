// Peers that leave before TLS is up: a probe, a peer that speaks another protocol, or a device whose handshake failed.
#include "relayd/session/alert_advice.h"
#include "relayd/session/session.h"

namespace relayd {

using common::log::Level;

// A load balancer's health check connects and leaves every second, by FIN or RST. It is not a failure, and not worth a
// log line above debug.
void Session::was_probe() {
  count(services_.counters.tcp_probes);
  log_end("a TCP probe: connected and left without sending a byte", Level::debug, nullptr);
  close_streams();
}

namespace {

HandshakeFailure failure_of(const tls::End& end) {
  using Cause = tls::End::Cause;
  switch (end.cause) {
    case Cause::closed:
    case Cause::lost: return HandshakeFailure::closed;
    case Cause::timed_out: return HandshakeFailure::timeout;
    case Cause::own_certificate: return HandshakeFailure::listener_certificate;
    case Cause::signature: return HandshakeFailure::keyd;
    case Cause::peer_certificate: break;
    case Cause::exhausted: return HandshakeFailure::other;
    case Cause::tls:
      if (end.fault == tls::Fault::no_certificate) return HandshakeFailure::no_certificate;
      return end.fault == tls::Fault::nothing_in_common ? HandshakeFailure::nothing_in_common : HandshakeFailure::other;
  }
  switch (end.doubt) {
    case trust::Doubt::expired: return HandshakeFailure::certificate_expired;
    case trust::Doubt::revoked: return HandshakeFailure::certificate_revoked;
    case trust::Doubt::unknown_ca: return HandshakeFailure::unknown_ca;
    case trust::Doubt::revocation_unknown: return HandshakeFailure::revocation_unknown;
    case trust::Doubt::other: break;
  }
  return HandshakeFailure::certificate_other;
}

}  // namespace

void Session::left_before_tls(const tls::End& end) {
  using Cause = tls::End::Cause;
  const auto first = device_.first_bytes();
  const Speaks speaks = what_speaks(first);
  if (speaks == Speaks::nothing && (end.cause == Cause::closed || end.cause == Cause::lost)) return was_probe();
  if (is_not_tls(speaks)) return spoke_no_tls(speaks);
  handshake_failure_ = failure_of(end);
  if (end.cause == Cause::closed || end.cause == Cause::lost)
    return device_left("device: left during the TLS handshake (" + end.text +
                       ") without an alert to say why; often it does not trust the listener's certificate");
  const std::string why = "device: " + with_advice(end, advice_on_device_alert);
  if (!end.refused_name.empty()) remember_end(why, {}, end.refused_name);
  device_left(why, end.is_ordinary() ? Level::info : Level::warning);
}

void Session::spoke_no_tls(Speaks speaks) {
  const auto kind = static_cast<size_t>(speaks);
  count(services_.counters.not_tls[kind]);
  handshake_failure_ = HandshakeFailure::not_tls;
  finish("device: " + named(speaks, device_.first_bytes()), Level::warning, &services_.log_limits.not_tls[kind]);
}

void Session::handshake_timed_out() {
  const Speaks speaks = what_speaks(device_.first_bytes());
  if (is_not_tls(speaks)) return spoke_no_tls(speaks);
  handshake_failure_ = HandshakeFailure::timeout;
  finish(speaks == Speaks::nothing ? "sent nothing within handshake_timeout"
                                   : "the TLS handshake took longer than handshake_timeout",
         Level::info, &services_.log_limits.failed_handshakes);
}

}  // namespace relayd
