// A session that relays: MQTT bytes in both directions, or to and from the built-in broker. Nothing in them is changed;
// the framers only follow the packets' boundaries.
#include <sys/random.h>

#include "relayd/session/session.h"

namespace relayd {
namespace {

using mqtt::DisconnectReason;
using mqtt::Refusal;

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

void Session::start_empty_broker() {
  std::array<uint8_t, 16> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return refuse(Refusal::server_unavailable, "no random bytes");  // can't happen after boot, getrandom(2)
  empty_broker_ = std::make_unique<EmptyBroker>(connect_, listener().max_packet_size);
  std::string answer;
  leave_waiting();
  const auto outcome = empty_broker_->accept(random, answer);
  if (outcome.kind != EmptyBroker::Outcome::Kind::go_on) return apply(outcome);
  to_device(bytes_of(answer));
  take_over();
  session_up();
  std::vector<uint8_t> first;
  first.swap(connect_bytes_);
  connect_.client_id = {};
  feed_empty_broker(std::span(first).subspan(connect_.size));
  if (state_ == State::relaying) resume_device();
}

void Session::forward_up(std::span<const uint8_t> bytes) {
  const uint64_t before = up_.packets(mqtt::PacketType::publish);
  const auto fed = up_.feed(bytes);
  upstream_->write(bytes.first(fed.good));
  if (tapped_) copy_to_tap(bytes.first(fed.good));
  if (trace_) trace_packets(true, up_, bytes.first(fed.good));
  const uint64_t messages = up_.packets(mqtt::PacketType::publish) - before;
  count(services_.counters.bytes_up, fed.good);
  count(services_.counters.messages_up, messages);
  switch (fed.state) {
    case mqtt::Framer::State::running:
      if (upstream_->congested()) device_.pause();
      watch_sends();
      return charge(fed.good, messages);
    case mqtt::Framer::State::disconnected: return part();
    case mqtt::Framer::State::too_large:
      device_ended_ = true;
      return disconnect(DisconnectReason::packet_too_large, "the device sent a packet larger than max_packet_size");
    case mqtt::Framer::State::malformed_length:
    case mqtt::Framer::State::reserved_type:
      device_ended_ = true;
      return disconnect(DisconnectReason::malformed, "the device sent something other than MQTT");
  }
}

void Session::forward_down(std::span<const uint8_t> bytes) {
  const uint64_t before = down_.packets(mqtt::PacketType::publish);
  const auto fed = down_.feed(bytes);
  if (trace_) trace_packets(false, down_, bytes.first(fed.good));
  const auto first = down_.first_type();
  if (state_ == State::awaiting_connack && first && first != mqtt::PacketType::connack &&
      first != mqtt::PacketType::auth)
    return refuse(Refusal::server_unavailable, "the broker's first packet is not a CONNACK");
  // The device never gets a TLS record larger than the broker's own records: the broker may keep them small because the
  // device's buffers are. Without TLS, one packet counts as one record.
  to_device(bytes.first(fed.good), to_remote_ ? upstream_->largest_record() : down_.largest_packet());
  count(services_.counters.bytes_down, fed.good);
  count(services_.counters.messages_down, down_.packets(mqtt::PacketType::publish) - before);
  if (state_ == State::awaiting_connack && down_.connack_code()) {
    if (*down_.connack_code() != 0) return follow_refusal(bytes.first(fed.good));
    session_up();
  }
  if (connack_) follow_connack(bytes.first(fed.good));
  switch (fed.state) {
    case mqtt::Framer::State::running:
      if (device_.congested()) upstream_->pause();
      return watch_sends();
    case mqtt::Framer::State::disconnected: return finish("the broker disconnected the device");
    default:
      if (state_ == State::awaiting_connack)
        return refuse(Refusal::server_unavailable, "the broker sent something other than MQTT");
      return disconnect(DisconnectReason::unspecified_error, "the broker sent something other than MQTT");
  }
}

void Session::feed_empty_broker(std::span<const uint8_t> bytes) {
  const uint64_t before = up_.packets(mqtt::PacketType::publish);
  const auto counted = up_.feed(bytes);  // only counts: the empty broker below reports faults
  if (trace_) trace_packets(true, up_, bytes.first(counted.good));
  const uint64_t messages = up_.packets(mqtt::PacketType::publish) - before;
  count(services_.counters.bytes_up, counted.good);
  count(services_.counters.messages_up, messages);
  std::string answer;
  const auto outcome = empty_broker_->feed(bytes, answer);
  if (trace_) trace_packets(false, down_, bytes_of(answer));
  to_device(bytes_of(answer));
  count(services_.counters.bytes_down, answer.size());
  if (device_.congested()) device_.pause();
  watch_sends();
  charge(bytes.size(), messages);
  apply(outcome);
}

void Session::apply(const EmptyBroker::Outcome& outcome) {
  switch (outcome.kind) {
    case EmptyBroker::Outcome::Kind::go_on: return;
    case EmptyBroker::Outcome::Kind::closed: return device_left("the device disconnected");
    case EmptyBroker::Outcome::Kind::refused: return refuse(outcome.refusal, outcome.why);
    case EmptyBroker::Outcome::Kind::failed: device_ended_ = true; return disconnect(outcome.reason, outcome.why);
  }
}

void Session::session_up() {
  is_up_ = true;
  of_broker(services_.counters.connect).observe(uv_hrtime() - connect_time_);
  if (tapped_) copy_to_tap({});
  const std::string address = dial_ ? dial_->text() : "";
  if (dial_) broker_is_well();
  if (to_remote_) count(services_.counters.sessions_by_broker[dial_->broker()]);
  dial_.reset();
  count(services_.counters.sessions);
  count(to_remote_ ? services_.counters.remote_sessions : services_.counters.local_sessions);
  move_to(State::relaying);
  log_up(address);
  identity_.reset();
}

}  // namespace relayd
