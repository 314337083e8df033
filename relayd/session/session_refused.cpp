// How a broker's refusal is handled, and what it says about the broker: its CONNACK passes to the device whole, is
// counted by its code and logged with its reason. An answer that is not TLS is named.
#include <cstdio>

#include "relayd/session/alert_advice.h"
#include "relayd/session/connack_advice.h"
#include "relayd/session/session.h"

namespace relayd {

using common::log::Level;

// Called for each piece of a refusing CONNACK, from the piece with the code on; the device gets all of them.
void Session::follow_refusal(std::span<const uint8_t> bytes) {
  if (connack_) connack_->feed(bytes);
  if (down_.at_boundary()) refused_by_broker();  // a device can't use part of a CONNACK
}

void Session::refused_by_broker() {
  const uint8_t value = *down_.connack_code();
  const size_t nth = mqtt::index_of_connack_code(value);
  count(to_remote_ ? services_.counters.remote_refused[nth] : services_.counters.local_refused);
  char code[8];
  snprintf(code, sizeof code, "0x%02X", value);
  std::string why =
      broker() + " refused the device: CONNACK " + code + ", " + std::string(mqtt::kConnackCodes[nth].name);
  if (mqtt::blames_server(value)) dial_->blame();
  else broker_is_well();
  if (connack_ && !connack_->reason().empty()) why.append("; its reason: ").append(connack_->reason());
  refused_ = true;
  finish(why, Level::warning, &services_.log_limits.broker_refusals[nth], advice_on_connack(value));
}

// The broker answered CONNECT, so its address is good.
void Session::broker_is_well() {
  services_.silent_closes.forget(dial_->address());
  dial_->keep();
}

// The connection has ended, and there was no CONNACK.
void Session::broker_closed_silently() {
  if (services_.silent_closes.confirmed(dial_->address(), device_hash_)) dial_->blame();
}

// Why an address is useless: its answer, if that was not TLS; otherwise how TLS ended, and what to do about it.
std::string Session::why_no_tls(const tls::End& end) const {
  std::string answer = named_answer(upstream_->first_bytes(), to_remote_ ? "remote_port" : "local.port");
  return answer.empty() ? advised(end) : answer;
}

std::string Session::advised(const tls::End& end) const {
  return with_advice(end, to_remote_ ? advice_on_remote_alert : advice_on_local_alert);
}

}  // namespace relayd
