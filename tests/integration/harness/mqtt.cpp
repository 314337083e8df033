#include "tests/integration/harness/mqtt.h"

#include <array>

#include "tests/integration/harness/deadline.h"

namespace harness::mqtt {
namespace {

uint16_t read_number(std::string_view bytes) {
  if (bytes.size() < 2) throw Failure("a packet is too short");
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8 | static_cast<uint8_t>(bytes[1]));
}

}  // namespace

std::string variable_length(size_t value) {
  std::string out;
  do {
    out += static_cast<char>((value & 127) | (value > 127 ? 128 : 0));
    value >>= 7;
  } while (value);
  return out;
}

std::string number(uint16_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 255)}; }

std::string text(std::string_view value) { return number(static_cast<uint16_t>(value.size())) + std::string(value); }

std::string packet(uint8_t first_byte, std::string_view body) {
  return std::string(1, static_cast<char>(first_byte)) + variable_length(body.size()) + std::string(body);
}

std::string user_property(std::string_view name, std::string_view value) { return "\x26" + text(name) + text(value); }

std::string connect(const Connect& c) {
  int flags = c.clean ? 2 : 0;
  if (c.will) flags |= 4 | c.will->qos << 3 | (c.will->retain ? 32 : 0);
  if (c.password) flags |= 64;
  if (c.username) flags |= 128;
  std::string body = text(c.level == v31 ? "MQIsdp" : "MQTT");
  body += static_cast<char>(c.level);
  body += static_cast<char>(flags);
  body += number(c.keep_alive);
  if (c.level == v5) body += variable_length(c.properties.size()) + c.properties;
  body += text(c.client_id);
  if (c.will) {
    if (c.level == v5) body += variable_length(c.will->properties.size()) + c.will->properties;
    body += text(c.will->topic) + text(c.will->payload);
  }
  if (c.username) body += text(*c.username);
  if (c.password) body += text(*c.password);
  return packet(0x10, body);
}

std::string publish(const Publish& p, int level) {
  std::string body = text(p.topic);
  if (p.qos) body += number(p.packet_id);
  if (level == v5) body += variable_length(p.properties.size()) + p.properties;
  return packet(static_cast<uint8_t>(0x30 | (p.dup ? 8 : 0) | p.qos << 1 | (p.retain ? 1 : 0)), body + p.payload);
}

std::string subscribe(uint16_t packet_id, std::string_view filter, int qos, int level) {
  return packet(0x82,
                number(packet_id) + (level == v5 ? std::string(1, '\0') : "") + text(filter) + static_cast<char>(qos));
}

std::string acknowledge(Type type, uint16_t packet_id) {
  const auto first = static_cast<uint8_t>(static_cast<uint8_t>(type) << 4 | (type == Type::pubrel ? 2 : 0));
  return packet(first, number(packet_id));
}

std::string pingreq() { return packet(0xc0, ""); }

std::string disconnect(int level, std::string_view body) { return packet(0xe0, level == v5 ? body : ""); }

Publish parse_publish(const Packet& p, int level) {
  if (p.type() != Type::publish) throw Failure("expected PUBLISH, got " + describe(p));
  const auto first = static_cast<uint8_t>(p.bytes[0]);
  Publish out{.qos = first >> 1 & 3, .retain = (first & 1) != 0, .dup = (first & 8) != 0};
  std::string_view rest = p.body;
  const auto length = read_number(rest);
  out.topic = rest.substr(2, length);
  rest.remove_prefix(2u + length);
  if (out.qos) {
    out.packet_id = read_number(rest);
    rest.remove_prefix(2);
  }
  if (level == v5) {
    size_t size = 0, used = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(rest.at(used++));
      size |= static_cast<size_t>(byte & 127) << shift;
      if (!(byte & 128)) break;
    }
    out.properties = rest.substr(used, size);
    rest.remove_prefix(used + size);
  }
  out.payload = rest;
  return out;
}

uint16_t packet_id_of(const Packet& p) { return read_number(p.body); }

int connack_code(const Packet& p) {
  if (p.type() != Type::connack || p.body.size() < 2) throw Failure("expected CONNACK, got " + describe(p));
  return static_cast<uint8_t>(p.body[1]);
}

bool session_present(const Packet& p) { return connack_code(p) == 0 && (p.body[0] & 1); }

std::string describe(const Packet& p) {
  static const std::array names = {"RESERVED", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
                                   "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
                                   "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH"};
  static const char* digits = "0123456789abcdef";
  std::string out = std::string(names[static_cast<size_t>(p.type())]) + " " + std::to_string(p.bytes.size()) + ":";
  size_t shown = 0;
  for (const char c : p.bytes) {
    if (++shown > 120) return out + "… #" + std::to_string(std::hash<std::string>{}(p.bytes));
    out += {digits[static_cast<uint8_t>(c) >> 4], digits[static_cast<uint8_t>(c) & 15]};
  }
  return out;
}

}  // namespace harness::mqtt
