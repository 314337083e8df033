#include "relayd/mqtt/packets.h"

#include "relayd/mqtt/properties.h"
#include "relayd/mqtt/reader.h"

namespace mqtt {
namespace {

constexpr bool table_is_in_order() {
  for (std::size_t i = 0; i < kRefusals.size(); ++i) {
    if (kRefusals[i].refusal != static_cast<Refusal>(i)) return false;
  }
  return kRefusals.back().refusal == Refusal::use_another_server;
}
static_assert(table_is_in_order(), "codes() takes the refusal as the index");

constexpr std::uint8_t first_byte(PacketType type) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4);
}

// Cuts the text to kMaxReason bytes at a whole character; returns nothing if MQTT does not allow the text.
std::string_view presentable(std::string_view reason) {
  if (!is_mqtt_utf8(reason)) return {};
  if (reason.size() <= kMaxReason) return reason;
  std::size_t end = kMaxReason;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
  return reason.substr(0, end);
}

// Makes a 5.0 packet with a text as its one property. `head` is the variable header up to the properties;
// `may_end_early`: these may be left out.
Packet with_text(PacketType type, Bytes head, PropertyId property, std::string_view reason,
                 std::uint32_t maximum_packet_size, bool may_end_early) {
  reason = presentable(reason);
  std::size_t property_size = reason.empty() ? 0 : 3 + reason.size();
  if (2 + head.size() + 1 + property_size > maximum_packet_size) property_size = 0;
  const bool ends_early = may_end_early && property_size == 0;
  const std::size_t remaining = head.size() + (ends_early ? 0 : 1 + property_size);
  Packet packet;
  if (2 + remaining > maximum_packet_size) return packet;
  packet.add(first_byte(type));
  packet.add(static_cast<std::uint8_t>(remaining));
  for (const std::uint8_t byte : head) packet.add(byte);
  if (ends_early) return packet;
  packet.add(static_cast<std::uint8_t>(property_size));
  if (property_size == 0) return packet;
  packet.add(static_cast<std::uint8_t>(property));
  packet.add(0);
  packet.add(static_cast<std::uint8_t>(reason.size()));
  for (const char c : reason) packet.add(static_cast<std::uint8_t>(c));
  return packet;
}
PropertyId text_of(std::uint8_t code) {
  return code == codes(Refusal::use_another_server).v5_0 ? PropertyId::server_reference : PropertyId::reason_string;
}

// Fixed header, acknowledge flags and code, property length, identifier, text length, text.
static_assert(2 + 2 + 1 + 1 + 2 + kMaxReason <= Packet::kCapacity);

}  // namespace

Packet encode_connack(Version version, Refusal refusal, std::string_view reason, std::uint32_t maximum_packet_size) {
  constexpr std::uint8_t kNoSession = 0;
  const RefusalCodes& code = codes(refusal);
  if (version == Version::v5_0) {
    const std::array<std::uint8_t, 2> head{kNoSession, code.v5_0};
    return with_text(PacketType::connack, head, text_of(code.v5_0), reason, maximum_packet_size, false);
  }
  Packet packet;
  if (code.v3 == 0) return packet;
  packet.add(first_byte(PacketType::connack));
  packet.add(2);
  packet.add(kNoSession);
  packet.add(code.v3);
  return packet;
}

Packet encode_disconnect(Version version, DisconnectReason reason_code, std::string_view reason,
                         std::uint32_t maximum_packet_size) {
  if (version != Version::v5_0) return {};
  const std::array<std::uint8_t, 1> head{static_cast<std::uint8_t>(reason_code)};
  return with_text(PacketType::disconnect, head, text_of(head[0]), reason, maximum_packet_size, true);
}

Refusal refusal_for(ConnectError error) {
  switch (error) {
    case ConnectError::malformed: return Refusal::malformed;
    case ConnectError::unsupported_version: return Refusal::unsupported_version;
    case ConnectError::too_large: return Refusal::packet_too_large;
    case ConnectError::protocol_error:
    case ConnectError::not_connect: break;
  }
  return Refusal::protocol_error;
}

Packet encode_connack(const BadConnect& bad) {
  if (!bad.answer_as) return {};
  return encode_connack(*bad.answer_as, refusal_for(bad.error), bad.why, bad.maximum_packet_size);
}

}  // namespace mqtt
