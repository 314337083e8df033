#include "relayd/mqtt/connect.h"

#include <algorithm>

#include "relayd/mqtt/client_packets.h"
#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/properties.h"
#include "relayd/mqtt/reader.h"
#include "relayd/mqtt/topic.h"

namespace mqtt {
namespace {

constexpr std::uint8_t kBridgeBit = 0x80;              // of the protocol level
constexpr std::uint8_t kUsernameFlag = 0x80;           // of the connect flags
constexpr std::uint32_t kLongestProtocol = 2 + 6 + 1;  // bytes: the length of "MQIsdp", the name, the level

struct ConnectFlags {  // MQTT section 3.1.2.3
  std::uint8_t byte;

  bool reserved() const { return (byte & 0x01) != 0; }
  bool clean_start() const { return (byte & 0x02) != 0; }
  bool will() const { return (byte & 0x04) != 0; }
  std::uint8_t will_qos() const { return (byte >> 3) & 0x03; }
  bool will_retain() const { return (byte & 0x20) != 0; }
  bool password() const { return (byte & 0x40) != 0; }
  bool username() const { return (byte & kUsernameFlag) != 0; }
};

// What the protocol name and level say: a supported version, or the version in which to refuse.
struct Protocol {
  std::optional<Version> version{};
  std::optional<Version> answer_as{};
};

Protocol protocol_of(std::string_view name, std::uint8_t level) {
  const std::uint8_t base = level & ~kBridgeBit;
  if (name == "MQIsdp") {
    if (base == 3) return {Version::v3_1, Version::v3_1};
    return {{}, Version::v3_1};
  }
  if (name != "MQTT") return {};
  if (base == 4) return {Version::v3_1_1, Version::v3_1_1};
  if (level == 5) return {Version::v5_0, Version::v5_0};
  return {{}, base < 5 ? Version::v3_1_1 : Version::v5_0};
}

// MQTT section 3.1.2.1 and 3.1.2.2.
Protocol read_protocol(Reader& body) {
  const std::string_view name = body.binary();
  const std::uint8_t level = body.u8();
  return body.ok() ? protocol_of(name, level) : Protocol{};
}

// 3.1 calls the reserved bits "not used", and the will bits "disregarded" without a will, so they are not checked
// there.
void check_flags(Reader& body, Version version, ConnectFlags flags) {
  if (flags.will_qos() == 3) body.malformed("the will QoS is 3 (MQTT section 3.1.2.6)");
  if (version != Version::v5_0 && flags.password() && !flags.username())
    body.malformed("a password without a user name (MQTT 3.1.1 section 3.1.2.9)");
  if (version == Version::v3_1) return;
  if (flags.reserved()) body.malformed("the reserved connect flag is 1 (MQTT section 3.1.2.3)");
  if (!flags.will() && flags.will_qos() != 0) body.malformed("a will QoS without a will (MQTT section 3.1.2.6)");
  if (!flags.will() && flags.will_retain()) body.malformed("a will retain flag without a will (MQTT section 3.1.2.7)");
}

void read_connect_properties(Reader& body, Connect& connect) {  // MQTT section 3.1.2.11
  PropertyReader properties(body, PropertyPlace::connect);
  bool has_authentication_data = false;
  for (Property p; properties.next(p);) {
    switch (p.id) {
      case PropertyId::session_expiry_interval: connect.session_expiry_interval = p.number; break;
      case PropertyId::maximum_packet_size: connect.maximum_packet_size = p.number; break;
      case PropertyId::request_problem_information: connect.request_problem_information = p.number == 1; break;
      case PropertyId::authentication_method: connect.has_authentication_method = true; break;
      case PropertyId::authentication_data: has_authentication_data = true; break;
      default: break;
    }
  }
  if (has_authentication_data && !connect.has_authentication_method)
    body.protocol_error("authentication data without a method (MQTT section 3.1.2.11.10)");
}

void read_will(Reader& body, Version version) {  // MQTT section 3.1.3.2 to 3.1.3.4
  if (version == Version::v5_0) {
    PropertyReader properties(body, PropertyPlace::will);
    for (Property p; properties.next(p);) {
    }
  }
  const std::string_view topic = body.utf8("the will topic is not well-formed UTF-8 (MQTT section 3.1.3.3)");
  if (body.ok() && !is_topic_name(topic))
    body.protocol_error("the will topic is empty or has a wildcard (MQTT section 4.7.1, 4.7.3)");
  body.binary();
}

void read_payload(Reader& body, ConnectFlags flags, Connect& connect) {  // MQTT section 3.1.3
  connect.client_id = body.utf8("the client id is not well-formed UTF-8 (MQTT section 3.1.3.1)");
  if (flags.will()) {
    connect.will = Will{flags.will_qos(), flags.will_retain()};
    read_will(body, connect.version);
  }
  // 3.1 section 3.1: a server must allow the flags to be set and the strings to be missing.
  const bool may_be_missing = connect.version == Version::v3_1;
  connect.has_username = flags.username();
  connect.username_at = connect.size - static_cast<std::uint32_t>(body.left());
  if (flags.username() && !(may_be_missing && body.left() == 0))
    body.utf8("the user name is not well-formed UTF-8 (MQTT section 3.1.3.5)");
  connect.has_password = flags.password() && !(may_be_missing && body.left() == 0);
  if (connect.has_password) body.binary();
  if (body.left() != 0) body.malformed("bytes after the last field of CONNECT (MQTT section 3.1.3)");
}

ConnectError error_of(const Flaw& flaw) {
  return flaw.kind == Flaw::Kind::protocol_error ? ConnectError::protocol_error : ConnectError::malformed;
}

ConnectResult parse_complete(const FixedHeader& header, Bytes packet) {
  Reader body(packet.subspan(header.header_size()));
  const Protocol protocol = read_protocol(body);
  if (!body.ok()) return BadConnect{ConnectError::malformed, {}, body.flaw().why};
  if (!protocol.version) {
    return BadConnect{ConnectError::unsupported_version, protocol.answer_as,
                      "the protocol is not MQTT 3.1, 3.1.1 or 5.0 (MQTT section 3.1.2.1, 3.1.2.2)"};
  }

  Connect connect;
  connect.version = *protocol.version;
  connect.size = header.packet_size();
  const ConnectFlags flags{body.u8()};
  connect.clean_start = flags.clean_start();
  connect.keep_alive = body.u16();
  if (connect.version == Version::v5_0) read_connect_properties(body, connect);
  // Checked only now, so that refusing the flags respects the device's Maximum Packet Size.
  if (connect.version != Version::v3_1 && header.flags() != 0)  // 3.1 section 3.1: "not used"
    body.malformed("the fixed header's flags are not 0 (MQTT section 2.1.3)");
  check_flags(body, connect.version, flags);
  read_payload(body, flags, connect);
  if (!body.ok())
    return BadConnect{error_of(body.flaw()), connect.version, body.flaw().why, connect.maximum_packet_size};
  return connect;
}

}  // namespace

std::vector<std::uint8_t> with_username(Bytes packet, const Connect& connect, std::string_view username) {
  FixedHeader header;
  for (const std::uint8_t byte : packet)
    if (header.push(byte) != FixedHeader::Status::more) break;
  const std::size_t remaining = header.remaining() + 2 + username.size();
  if (remaining > kMaxRemainingLength) return {};
  std::vector<std::uint8_t> out{packet[0]};
  out.reserve(1 + 4 + remaining);
  append_length(out, remaining);
  const std::size_t body = out.size();
  const auto add = [&](Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
  add(packet.subspan(header.header_size(), connect.username_at - header.header_size()));
  out.push_back(static_cast<std::uint8_t>(username.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(username.size()));
  for (const char c : username) out.push_back(static_cast<std::uint8_t>(c));
  add(packet.subspan(connect.username_at));
  const std::size_t name_size = static_cast<std::size_t>(out[body] << 8 | out[body + 1]);
  out[body + 2 + name_size + 1] |= kUsernameFlag;  // after the protocol's name and level
  return out;
}

ConnectResult parse_connect(Bytes in, std::uint32_t max_connect_size) {
  FixedHeader header;
  auto status = FixedHeader::Status::more;
  for (const std::uint8_t byte : in) {
    status = header.push(byte);
    if (header.type() != PacketType::connect)
      return BadConnect{ConnectError::not_connect, {}, "the first packet is not CONNECT (MQTT section 3.1)"};
    if (status != FixedHeader::Status::more) break;
  }
  if (status == FixedHeader::Status::more) return NeedMore{0};
  if (status == FixedHeader::Status::malformed)
    return BadConnect{
        ConnectError::malformed, {}, "the remaining length has more than four bytes (MQTT section 2.1.4)"};
  const std::uint32_t protocol_end =
      std::min<std::uint32_t>(header.packet_size(), header.header_size() + kLongestProtocol);
  if (in.size() < protocol_end) return NeedMore{header.packet_size()};
  if (header.packet_size() > max_connect_size) {
    Reader body(in.subspan(header.header_size()));
    return BadConnect{ConnectError::too_large, read_protocol(body).answer_as,
                      "CONNECT is larger than max_connect_size"};
  }
  if (in.size() < header.packet_size()) return NeedMore{header.packet_size()};
  return parse_complete(header, in.first(header.packet_size()));
}

}  // namespace mqtt
