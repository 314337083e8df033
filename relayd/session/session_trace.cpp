// One session as `mqtt-relay trace` shows it: what happens to it, and its packets without their payloads.
#include "common/json_line.h"
#include "relayd/session/session.h"

namespace relayd {
namespace {

constexpr size_t kMostWhy = 1024, kMostTopic = 512;  // bytes, escaped

std::string text_of(common::JsonLine&& line) { return std::move(line).finish(); }

void add(common::JsonLine& line, const mqtt::ListedPacket& packet) {
  line.add("type", mqtt::name(packet.type)).add("size", packet.size);
  if (packet.type == mqtt::PacketType::publish)
    line.add("qos", packet.qos).add("dup", int{packet.dup}).add("retain", int{packet.retain});
  if (packet.id) line.add("id", *packet.id);
  if (packet.reason) line.add("reason", *packet.reason);
}

}  // namespace

// Begins or ends to trace, as somebody follows the device or nobody does. In the middle of a fixed header it waits for
// the next packet.
void Session::look_for_followers(bool greet) {
  const bool wanted = connect_time_ != 0 && services_.traces.follow(client_id_);
  if (!wanted) return trace_.reset();
  if (!trace_) {
    trace_ = std::make_unique<Traced>();
    if (const auto left = up_.left()) trace_->up.emplace(connect_.version, *left);
    if (const auto left = down_.left()) trace_->down.emplace(connect_.version, *left);
  }
  if (!greet) return;
  common::JsonLine line = trace_line("followed");
  line.add("device", address_.text()).add("state", state_name()).add("tls", device_.tls_version());
  line.add("keep_alive", connect_.keep_alive);
  tell_followers(text_of(std::move(line)));
}

common::JsonLine Session::trace_line(std::string_view event) const {
  common::JsonLine line;
  line.add("ms", now() - began_).add("session", session_text(id_)).add("event", event);
  return line;
}

void Session::tell_followers(const std::string& line) const { services_.traces.tell(client_id_, line, line); }

void Session::trace_state() const {
  common::JsonLine line = trace_line(state_name());
  if (const std::string_view to = route(); !to.empty()) line.add("route", to);
  tell_followers(text_of(std::move(line)));
}

void Session::trace_end(std::string_view why, std::string_view fix) const {
  common::JsonLine line = trace_line("end");
  line.add("why", why, kMostWhy);
  if (!fix.empty()) line.add("fix", fix, kMostWhy);
  tell_followers(text_of(std::move(line)));
}

// `bytes` have passed `framer`.
void Session::trace_packets(bool up, const mqtt::Framer& framer, std::span<const uint8_t> bytes) {
  auto& lister = up ? trace_->up : trace_->down;
  if (!lister) {
    if (const auto left = framer.left()) lister.emplace(connect_.version, *left);
    return;
  }
  std::vector<mqtt::ListedPacket> packets;
  lister->feed(bytes, packets);
  for (const mqtt::ListedPacket& packet : packets) {
    common::JsonLine line = trace_line(up ? "up" : "down");
    add(line, packet);
    common::JsonLine with_topic = line;
    if (!packet.topic.empty()) with_topic.add("topic", packet.topic, kMostTopic);
    services_.traces.tell(client_id_, text_of(std::move(line)), text_of(std::move(with_topic)));
  }
}

}  // namespace relayd
