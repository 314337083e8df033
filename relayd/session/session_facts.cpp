// What an operator is told of a session, for `mqtt-relay sessions` and `mqtt-relay session`. Facts that are not known,
// or not known any more, are left out.
#include <ctime>

#include "common/json_line.h"
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kMostShown = 1536;  // bytes of a client id or a name, escaped: a whole client id that can have a key

constexpr size_t kMostSubject = 512, kMostSerial = 64;

const char* text_of(mqtt::Version version) {
  switch (version) {
    case mqtt::Version::v3_1: return "3.1";
    case mqtt::Version::v3_1_1: return "3.1.1";
    case mqtt::Version::v5_0: return "5.0";
  }
  return "?";
}

}  // namespace

std::string Session::broker_name() const {
  if (!upstream_) return "";
  const auto& brokers = services_.config.brokers;
  if (to_remote_) return broker_ < brokers.size() ? brokers[broker_].at.host : "";
  return services_.config.local ? services_.config.local->broker.host : "";
}

std::string Session::facts(Facts wanted) const {
  common::JsonLine line;
  line.add("session", session_text(id_));
  const bool has_connect = !awaits_connect() && connect_time_ != 0;
  if (has_connect) line.add("client_id", client_id_, kMostShown);
  line.add("device", address_.text()).add("listener", listener().name, kMostShown).add("state", state_name());
  if (const std::string_view to = route(); !to.empty()) line.add("route", to);
  if (const std::string broker = broker_name(); !broker.empty()) line.add("broker", broker, kMostShown);
  line.add("seconds", (now() - began_) / 1000)
      .add("bytes_up", up_.bytes())
      .add("bytes_down", down_.bytes())
      .add("messages_up", up_.packets(mqtt::PacketType::publish))
      .add("messages_down", down_.packets(mqtt::PacketType::publish));
  if (has_connect) line.add("keep_alive", connect_.keep_alive);
  if (state_ > State::device_handshake) line.add("tls", device_.tls_version());
  if (wanted == Facts::all) add_details(line);
  return std::move(line).finish();
}

void Session::add_details(common::JsonLine& line) const {
  line.add("worker", services_.worker);
  if (connect_time_ != 0) {
    line.add("mqtt", text_of(connect_.version)).add("clean_start", int{connect_.clean_start});
    line.add("will", int{connect_.will.has_value()});
    if (connect_.version == mqtt::Version::v5_0) line.add("session_expiry", connect_.session_expiry_interval);
  }
  line.add("websocket", int{websocket_ != nullptr});
  if (is_up_) line.add("silent_at_most_ms", keep_alive_.count()).add("silent_ms", now() - heard_at_);
  line.add("waiting_for_device", device_.undelivered());
  line.add("device_paused", int{device_.paused()});
  if (upstream_ && !upstream_->closed()) {
    line.add("broker_tls", upstream_->tls_version()).add("broker_from", upstream_->local_address().text());
    line.add("waiting_for_broker", upstream_->undelivered()).add("broker_paused", int{upstream_->paused()});
  }
  if (chain_.empty()) return;
  const tls::Identity identity = tls::identity_of(chain_);
  line.add("certificate_subject", identity.subject, kMostSubject)
      .add("certificate_serial", identity.serial, kMostSerial);
  line.add("certificate_sha256", identity.fingerprint);
  line.add("certificate_cn", tls::names_in(chain_).common_name, kMostSubject);
  line.add("certificate_spki", common::hex(chain_.spki.data(), chain_.spki.size()));
}

}  // namespace relayd
