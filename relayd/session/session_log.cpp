// The two lines that a session has in the log: when it is up, and when it has ended.
#include "relayd/session/session.h"

namespace relayd {
namespace {

using common::log::Field;
using common::log::Level;

}  // namespace

const char* Session::state_name() const {
  static constexpr const char* kNames[] = {
      "proxy_header",     "device_handshake", "upgrading", "awaiting_connect", "looking_up", "dialing",
      "remote_handshake", "awaiting_connack", "relaying",  "parting",          "closing",
  };
  return kNames[static_cast<size_t>(state_)];
}

std::string_view Session::route() const {
  if (to_remote_) return "remote";
  if (empty_broker_) return "local, built in";
  return upstream_ ? "local" : "";
}

const char* Session::ending() const {
  if (is_up_) return "session_closed";
  return refused_ ? "session_refused" : "connection_closed";
}

// `address`: where the broker is.
void Session::log_up(std::string_view address) const {
  if (!logs(Level::info)) return;
  const tls::Identity& device = identity_ ? *identity_ : tls::Identity();
  const tls::Parameters with_device = device_.parameters();
  const tls::Parameters with_broker = upstream_ ? upstream_->parameters() : tls::Parameters();
  write_log(Level::info, "session_up", "session up", Field{"client_id", client_id_}, Field{"subject", device.subject},
            Field{"serial", device.serial}, Field{"fingerprint", device.fingerprint},
            Field{"device_tls", with_device.version}, Field{"device_suite", with_device.suite},
            Field{"device_group", with_device.group}, Field{"to", route()}, Field{"address", address},
            Field{"tls", with_broker.version}, Field{"suite", with_broker.suite}, Field{"group", with_broker.group},
            Field{"up_after_ms", now() - began_});
}

void Session::log_end(std::string_view why, Level level, common::LogLimit* limit, std::string_view fix) const {
  if (!logs(level)) return;
  const auto left_out = limit ? limit->admit(now()) : 0;
  if (!left_out) return;
  const std::string_view message = is_up_ ? "session closed" : refused_ ? "session refused" : "connection closed";
  const Field client_id{"client_id", client_id_}, reason{"why", why}, remedy{"fix", fix},
      duration{"duration_ms", now() - began_}, suppressed{"suppressed", *left_out};
  if (is_up_)
    write_log(level, ending(), message, client_id, Field{"to", route()}, reason, duration,
              Field{"bytes_up", up_.bytes()}, Field{"bytes_down", down_.bytes()}, Field{"packets_up", up_.packets()},
              Field{"packets_down", down_.packets()}, suppressed);
  else if (identity_)
    write_log(level, ending(), message, client_id, reason, remedy, Field{"subject", identity_->subject},
              Field{"serial", identity_->serial}, Field{"fingerprint", identity_->fingerprint}, duration, suppressed);
  else write_log(level, ending(), message, client_id, reason, remedy, duration, suppressed);
}

}  // namespace relayd
