#include "tests/integration/harness/device.h"

namespace harness {

using mqtt::Packet;
using mqtt::Type;

Device::Device(const Identity& identity, const Endpoint& to, TlsVersion version)
    : tls_(TlsStream::connect(to, TlsContext::client(&identity, authorities().root, version))) {}

Packet Device::read(Deadline deadline) {
  auto packet = tls_.read_packet(deadline);
  transcript_.push_back(mqtt::describe(packet));
  return packet;
}

Packet Device::connect(const mqtt::Connect& connect) {
  level_ = connect.level;
  tls_.send(mqtt::connect(connect));
  return read();
}

Device& Device::join(const std::string& client_id, int level) {
  const auto answer = connect({.client_id = client_id, .level = level});
  if (mqtt::connack_code(answer) != 0) throw Failure(client_id + " was not accepted: " + mqtt::describe(answer));
  return *this;
}

// Handles unsolicited packets: messages, and the second half of a QoS 2 delivery.
void Device::take(const Packet& packet) {
  if (packet.type() == Type::publish) {
    inbox_.push_back(mqtt::parse_publish(packet, level_));
    const auto& message = inbox_.back();
    if (message.qos == 1) tls_.send(mqtt::acknowledge(Type::puback, message.packet_id));
    if (message.qos == 2) tls_.send(mqtt::acknowledge(Type::pubrec, message.packet_id));
  } else if (packet.type() == Type::pubrel) {
    tls_.send(mqtt::acknowledge(Type::pubcomp, mqtt::packet_id_of(packet)));
  } else {
    throw Failure("unexpected " + mqtt::describe(packet));
  }
}

Packet Device::read_until(Type type, uint16_t packet_id, Deadline deadline) {
  for (;;) {
    auto packet = read(deadline);
    if (packet.type() == type && (type == Type::pingresp || mqtt::packet_id_of(packet) == packet_id)) return packet;
    take(packet);
  }
}

void Device::publish(const std::string& topic, const std::string& payload, int qos, bool retain,
                     const std::string& properties) {
  const uint16_t id = qos ? next_packet_id_++ : uint16_t{0};
  tls_.send(mqtt::publish(
      {.topic = topic, .payload = payload, .qos = qos, .packet_id = id, .retain = retain, .properties = properties},
      level_));
  if (qos == 1) read_until(Type::puback, id, patience());
  if (qos == 2) {
    read_until(Type::pubrec, id, patience());
    tls_.send(mqtt::acknowledge(Type::pubrel, id));
    read_until(Type::pubcomp, id, patience());
  }
}

int Device::subscribe(const std::string& filter, int qos) {
  const auto id = next_packet_id_++;
  tls_.send(mqtt::subscribe(id, filter, qos, level_));
  return static_cast<uint8_t>(read_until(Type::suback, id, patience()).body.back());
}

mqtt::Publish Device::next_message(Deadline deadline) {
  while (inbox_.empty()) take(read(deadline));
  auto message = std::move(inbox_.front());
  inbox_.pop_front();
  return message;
}

void Device::ping(Deadline deadline) {
  tls_.send(mqtt::pingreq());
  read_until(Type::pingresp, 0, deadline);
}

void Device::disconnect() {
  tls_.send(mqtt::disconnect(level_));
  tls_.close_notify_and_fin();
}

}  // namespace harness
