#include "tests/faults/publisher.h"

#include <algorithm>

namespace faults {

using harness::mqtt::Packet;
using harness::mqtt::Type;
namespace mqtt = harness::mqtt;

namespace {

// MQTT 5.0 section 3.1.2.11.2: a session that never expires.
const std::string session_without_end = "\x11\xff\xff\xff\xff";

// The reason code is the third byte of a 5.0 acknowledgement, or success if absent. In 3.x there are only two bytes.
int reason_of(const Packet& packet) { return packet.body.size() > 2 ? static_cast<uint8_t>(packet.body[2]) : 0; }

milliseconds since(Clock::time_point then, Clock::time_point now) {
  return std::chrono::duration_cast<milliseconds>(now - then);
}

}  // namespace

Publisher::Publisher(std::string client_id, int level, harness::TlsContext context, const Behaviour& behaviour,
                     int epoll, uint32_t seed)
    : client_id_(std::move(client_id)),
      level_(level),
      context_(std::move(context)),
      behaviour_(behaviour),
      epoll_(epoll),
      random_(seed) {}

void Publisher::on_tick(Clock::time_point now) {
  switch (stage_) {
    case Stage::away:
      if (now >= begin_at_) connect(now);
      return;
    case Stage::connecting:
      if (now >= give_up_at_) lose("nothing before the device's own time-out", now);
      return;
    case Stage::up: break;
  }
  if (behaviour_.publishing && now >= publish_at_) fill_window(now);
  const milliseconds keep_alive = std::chrono::seconds(behaviour_.keep_alive), silent = since(heard_at_, now);
  if (silent > keep_alive) return lose("session: silence", now);
  if (silent > keep_alive / 2 && !std::exchange(pinged_, true)) link_.send(mqtt::pingreq());
}

void Publisher::connect(Clock::time_point now) {
  stage_ = Stage::connecting;
  said_connect_ = false;
  give_up_at_ = now + behaviour_.attempt;
  link_.connect(behaviour_.to, context_, epoll_, this);
  if (!link_.ended().empty()) lose(std::string(link_.ended()), now);
}

void Publisher::on_ready(Clock::time_point now) {
  if (link_.idle()) return;
  link_.advance();
  if (link_.is_open() && !std::exchange(said_connect_, link_.is_open())) send_connect();
  while (const auto packet = link_.next_packet()) {
    take(*packet, now);
    if (link_.idle()) return;
  }
  if (!link_.ended().empty()) lose(std::string(link_.ended()), now);
}

void Publisher::send_connect() {
  link_.send(mqtt::connect({.client_id = client_id_,
                            .level = level_,
                            .clean = false,
                            .keep_alive = behaviour_.keep_alive,
                            .properties = level_ == mqtt::v5 ? session_without_end : ""}));
}

void Publisher::take(const Packet& packet, Clock::time_point now) {
  heard_at_ = now;
  pinged_ = false;
  switch (packet.type()) {
    case Type::connack: return on_connack(packet, now);
    case Type::puback:
    case Type::pubrec:
    case Type::pubcomp: return on_acknowledgement(packet);
    case Type::pingresp: return;
    case Type::disconnect: {
      const int reason = packet.body.empty() ? 0 : static_cast<uint8_t>(packet.body[0]);
      ++seen_.disconnects[reason];
      if (level_ != mqtt::v5) complain("a DISCONNECT in 3.1.1");
      return;
    }
    default: return complain("an unexpected " + mqtt::describe(packet));
  }
}

void Publisher::on_connack(const Packet& packet, Clock::time_point now) {
  const int code = mqtt::connack_code(packet);
  ++seen_.connacks[code];
  if (stage_ != Stage::connecting) return complain("a second CONNACK");
  if (code != 0) return lose("CONNACK " + std::to_string(code), now);
  if (has_session_ && !mqtt::session_present(packet)) ++seen_.sessions_missing;
  has_session_ = true;
  stage_ = Stage::up;
  attempts_ = 0;
  if (lost_at_) seen_.recoveries.push_back(since(*lost_at_, now));
  lost_at_.reset();
  send_again();
  // The first publish is at a random point of the pause, so that a fleet does not publish in step.
  const auto pause = static_cast<uint32_t>(behaviour_.pause.count());
  publish_at_ = now + milliseconds(pause ? random_() % pause : 0);
}

void Publisher::send_again() {
  for (const auto& message : in_flight_) {
    if (message.received) link_.send(mqtt::acknowledge(Type::pubrel, message.packet_id));
    else send(message, /*again=*/true);
    ++seen_.sent_again;
  }
}

void Publisher::fill_window(Clock::time_point now) {
  publish_at_ = now + behaviour_.pause;
  while (in_flight_.size() < behaviour_.window) {
    if (++last_packet_id_ == 0) ++last_packet_id_;
    in_flight_.push_back({last_packet_id_, ++last_number_});
    acknowledged_.push_back(false);
    ++seen_.published;
    send(in_flight_.back(), /*again=*/false);
  }
}

void Publisher::send(const Message& message, bool again) {
  link_.send(mqtt::publish({.topic = "any/fleet/" + client_id_,
                            .payload = std::to_string(message.number),
                            .qos = qos_of(message.number),
                            .packet_id = message.packet_id,
                            .dup = again},
                           level_));
}

void Publisher::on_acknowledgement(const Packet& packet) {
  const auto id = mqtt::packet_id_of(packet);
  const auto at = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const auto& m) { return m.packet_id == id; });
  const int qos = at == in_flight_.end() ? 0 : qos_of(at->number);
  if (qos != (packet.type() == Type::puback ? 1 : 2) || (packet.type() == Type::pubcomp && !at->received))
    return complain("an acknowledgement for no message: " + mqtt::describe(packet));
  // 0x92 in answer to PUBREL: the broker has already forgotten the message (MQTT 5.0 section 4.3.3), which is as good.
  if (reason_of(packet) >= 0x80 && packet.type() != Type::pubcomp)
    complain("message " + std::to_string(at->number) + " was refused, " + std::to_string(reason_of(packet)));
  else acknowledged_[at->number] = true;
  if (packet.type() != Type::pubcomp) seen_.acknowledged += !at->received;
  if (packet.type() == Type::pubrec) {
    at->received = true;
    link_.send(mqtt::acknowledge(Type::pubrel, id));
  } else {
    in_flight_.erase(at);
  }
}

void Publisher::vanish(Clock::time_point now) {
  if (!link_.idle()) lose("vanished", now);
}

void Publisher::lose(const std::string& why, Clock::time_point now) {
  if (stage_ == Stage::up) {
    ++seen_.losses;
    ++seen_.causes[why];
    seen_.losses_at.push_back(now);
    lost_at_ = now;
  } else {
    ++seen_.failures[why];
    seen_.failed_in_a_row = std::max(seen_.failed_in_a_row, static_cast<size_t>(std::max(attempts_, 1)));
  }
  stage_ = Stage::away;
  link_.close();
  const auto most =
      std::min<int64_t>(behaviour_.least_wait.count() << std::min(attempts_++, 10), behaviour_.most_wait.count());
  begin_at_ = now + milliseconds(most / 2 + random_() % (most / 2 + 1));
}

void Publisher::complain(const std::string& what) {
  if (seen_.violations.size() < 10) seen_.violations.push_back(client_id_ + ": " + what);
}

}  // namespace faults
