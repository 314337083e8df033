#include "relayd/mqtt/client_packets.h"

namespace mqtt {
namespace {

using Out = std::vector<std::uint8_t>;

constexpr std::uint8_t kPublish = 0x30, kRetain = 0x01;
constexpr std::uint8_t kCleanStart = 0x02, kUsername = 0x80;
constexpr std::uint8_t kSessionExpiry = 0x11, kReceiveMaximum = 0x21;

std::size_t length_size(std::size_t length) {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20'0000 ? 3 : 4;
}

void append(Out& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
void append(Out& out, std::string_view text) {
  for (const char c : text) out.push_back(static_cast<std::uint8_t>(c));
}
void append_u16(Out& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void append_text(Out& out, std::string_view text) {
  append_u16(out, text.size());
  append(out, text);
}

// CONNECT up to its payload of `payload` bytes, with these properties: encoded, at most 127 bytes.
void append_connect_head(Out& out, std::uint8_t flags, std::uint16_t keep_alive, Bytes properties,
                         std::size_t payload) {
  constexpr std::size_t kFixed = 2 + 4 + 1 + 1 + 2 + 1;  // protocol name, level, flags, keep alive, properties' length
  out.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(PacketType::connect) << 4));
  append_length(out, kFixed + properties.size() + payload);
  append_text(out, "MQTT");
  out.push_back(static_cast<std::uint8_t>(Version::v5_0));
  out.push_back(flags);
  append_u16(out, keep_alive);
  append_length(out, properties.size());
  append(out, properties);
}

}  // namespace

void append_length(Out& out, std::size_t length) {
  for (; length > 0x7F; length >>= 7) out.push_back(static_cast<std::uint8_t>(length | 0x80));
  out.push_back(static_cast<std::uint8_t>(length));
}

void append_connect(Out& out, std::string_view client_id, std::string_view username, std::uint16_t keep_alive) {
  const std::uint8_t flags = username.empty() ? kCleanStart : kCleanStart | kUsername;
  append_connect_head(out, flags, keep_alive, {}, 2 + client_id.size() + (username.empty() ? 0 : 2 + username.size()));
  append_text(out, client_id);
  if (!username.empty()) append_text(out, username);
}

void append_resuming_connect(Out& out, std::string_view client_id, std::uint16_t keep_alive) {
  constexpr std::uint8_t kProperties[] = {kSessionExpiry, 0xff, 0xff, 0xff, 0xff, kReceiveMaximum, 0, 1};
  append_connect_head(out, 0, keep_alive, kProperties, 2 + client_id.size());
  append_text(out, client_id);
}

void append_publish(Out& out, const Message& message) {
  const std::size_t topic = message.prefix.size() + message.topic.size();
  const std::size_t properties = message.properties.size() + message.more_properties.size();
  const std::size_t remaining = 2 + topic + length_size(properties) + properties + message.payload.size();
  out.reserve(out.size() + 1 + 4 + remaining);
  out.push_back(message.retain ? kPublish | kRetain : kPublish);
  append_length(out, remaining);
  append_u16(out, topic);
  append(out, message.prefix);
  append(out, message.topic);
  append_length(out, properties);
  append(out, message.properties);
  append(out, message.more_properties);
  append(out, message.payload);
}

void append_pingreq(Out& out) {
  out.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(PacketType::pingreq) << 4));
  out.push_back(0);
}

void append_disconnect(Out& out, std::optional<std::uint32_t> session_expiry) {
  out.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(PacketType::disconnect) << 4));
  if (!session_expiry) return out.push_back(0);
  append_length(out, 1 + 1 + 5);  // reason, properties' length, the property
  out.push_back(0);
  out.push_back(5);
  out.push_back(kSessionExpiry);
  append_u16(out, *session_expiry >> 16);
  append_u16(out, *session_expiry & 0xffff);
}

}  // namespace mqtt
