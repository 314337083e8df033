// MQTT over WebSocket (MQTT 5.0 section 6), inside the listener's TLS. The device sends an upgrade request, then
// frames; the rest of a session has only the bytes in them, and hands back bytes that leave as one binary frame.
//
// A client that sends something else is told why by a status, HTTP's or a close frame's, and the log says it too. A
// close frame of the device is the end of its stream, as a close_notify is without a WebSocket; nothing goes to the
// device after the one that answers it. A ping is answered once the kernel has taken everything that was sent before,
// so a client that pings and reads nothing makes nothing grow.
#include <utility>
#include <vector>

#include "relayd/session/session.h"
#include "relayd/websocket/upgrade.h"

namespace relayd {

using common::log::Level;

void Session::read_upgrade(std::span<const uint8_t> bytes) {
  const auto& settings = *listener().websocket;
  connect_bytes_.insert(connect_bytes_.end(), bytes.begin(), bytes.end());
  const auto parsed = websocket::parse_upgrade(connect_bytes_, settings.mqtt_path, settings.allowed_origins);
  if (std::holds_alternative<websocket::NeedMore>(parsed)) return;
  const auto answer = [this](const std::string& text) {
    device_.write({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  if (const auto* refused = std::get_if<websocket::Refused>(&parsed)) {
    answer(websocket::refuse(refused->fault));
    return refuse_websocket(refused->fault, "sent no WebSocket upgrade that is served here: " + refused->why);
  }
  const auto& upgrade = std::get<websocket::Upgrade>(parsed);
  answer(websocket::accept(upgrade));
  websocket_ = std::make_unique<websocket::Frames>(settings.max_frame_size);
  const auto received = std::exchange(connect_bytes_, {});
  move_to(State::awaiting_connect);
  if (received.size() > upgrade.size) read_frames(std::span(received).subspan(upgrade.size));
}

void Session::read_frames(std::span<const uint8_t> bytes) {
  std::vector<uint8_t> payload;
  payload.reserve(bytes.size());
  const auto end = websocket_->decode(bytes, payload);
  if (!device_.congested()) send_pong();
  if (rates_) rates_->bytes.take(bytes.size() - payload.size(), now());  // control frames count, too
  if (!payload.empty()) from_device(payload);
  else if (relays()) charge(0, 0);
  if (end && state_ != State::closing) websocket_ended(*end);
}

void Session::websocket_ended(const websocket::Frames::End& end) {
  if (end.fault) device_ended_ = true;
  send_close(end.code);
  if (end.fault) return refuse_websocket(*end.fault, "sent no valid WebSocket frame: " + std::string(end.why));
  on_end(device_, {tls::End::Cause::closed, "closed the WebSocket with code " + std::to_string(end.code), {}});
}

void Session::refuse_websocket(websocket::Fault fault, std::string_view why) {
  const auto kind = static_cast<size_t>(fault);
  count(services_.counters.websocket_refused[kind]);
  finish(why, Level::warning, &services_.log_limits.websocket_refusals[kind]);
}

void Session::send_frame(std::span<const uint8_t> payload, size_t most_in_record) {
  constexpr size_t kMostHeader = 10;  // bytes; RFC 6455 section 5.2, without a mask
  std::vector<uint8_t> frame;
  frame.reserve(payload.size() + kMostHeader);
  websocket_->encode(payload, frame);
  device_.write(frame, most_in_record);
}

void Session::send_pong() {
  if (!websocket_->owes_pong()) return;
  std::vector<uint8_t> frame;
  websocket_->answer_ping(frame);
  device_.write(frame);
}

void Session::send_close(uint16_t code) {
  std::vector<uint8_t> frame;
  websocket_->close(code, frame);
  device_.write(frame);
}

}  // namespace relayd
