#include "relayd/mqtt/device_packets.h"

#include "relayd/mqtt/properties.h"
#include "relayd/mqtt/topic.h"

namespace mqtt {
namespace {

constexpr std::string_view kTrailing = "bytes after the last field of the packet (MQTT section 4.13.1)";

std::uint16_t read_packet_id(Reader& body) {
  const std::uint16_t id = body.u16();
  if (body.ok() && id == 0) body.protocol_error("the packet identifier is 0 (MQTT section 2.2.1)");
  return id;
}

void pass_properties(Reader& body, PropertyPlace place) {
  PropertyReader properties(body, place);
  for (Property p; properties.next(p);) {
  }
}

// The length of PUBLISH's variable header, as far as `body` shows it: exact, or a lower bound until more bytes come.
struct Extent {
  std::uint32_t size;
  bool exact;
};

Extent publish_extent(Version version, std::uint8_t qos, Bytes body) {
  if (body.size() < 2) return {2, false};
  std::uint32_t size = 2 + (static_cast<std::uint32_t>(body[0]) << 8 | body[1]) + (qos > 0 ? 2 : 0);
  if (version != Version::v5_0) return {size, true};
  std::uint32_t property_length = 0;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    if (body.size() <= size) return {size + 1, false};
    const std::uint8_t byte = body[size++];
    property_length |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) break;
  }
  return {size + property_length, true};  // the reader refuses a fifth length byte
}

void read_publish_properties(Reader& body, Publish& publish) {  // MQTT section 3.3.2.3
  PropertyReader properties(body, PropertyPlace::publish);
  const auto before_end = [&] { return publish.payload_at - static_cast<std::uint32_t>(properties.left()); };
  publish.properties_at = before_end();
  for (Property p; properties.next(p);) {
    if (p.id == PropertyId::topic_alias) {
      if (p.number == 0) body.protocol_error("a topic alias of 0 (MQTT section 3.3.2.3.4)");
      publish.topic_alias = static_cast<std::uint16_t>(p.number);
      publish.topic_alias_at = before_end() - 3;
    }
    if (p.id == PropertyId::subscription_identifier)
      body.protocol_error("a subscription identifier from a client (MQTT section 3.3.4)");
  }
}

}  // namespace

PublishResult parse_publish(Version version, std::uint8_t flags, Bytes body, std::uint32_t remaining) {
  Publish publish;
  publish.qos = (flags >> 1) & 3;
  publish.retain = (flags & 1) != 0;
  publish.dup = (flags & 8) != 0;
  const Extent extent = publish_extent(version, publish.qos, body);
  if (extent.size > remaining)
    return Flaw{Flaw::Kind::malformed, "PUBLISH ends inside its header (MQTT section 3.3.2)"};
  if (!extent.exact || body.size() < extent.size) return NeedMore{extent.size};

  Reader reader(body.first(extent.size));
  publish.payload_at = extent.size;
  publish.topic = reader.utf8("the topic is not well-formed UTF-8 (MQTT section 3.3.2.1)");
  if (publish.qos > 0) publish.packet_id = read_packet_id(reader);
  if (version == Version::v5_0) read_publish_properties(reader, publish);
  if (!reader.ok()) return reader.flaw();
  if (publish.topic.empty() && publish.topic_alias != 0) return publish;
  if (!is_topic_name(publish.topic))
    return Flaw{Flaw::Kind::protocol_error, "the topic is empty or has a wildcard (MQTT section 3.3.2.1, 4.7)"};
  return publish;
}

FilterReader::FilterReader(Version version, Of packet, Bytes body) : body_(body), version_(version), packet_(packet) {
  packet_id_ = read_packet_id(body_);
  if (version == Version::v5_0)
    pass_properties(body_, packet == Of::subscribe ? PropertyPlace::subscribe : PropertyPlace::unsubscribe);
  if (body_.ok() && body_.left() == 0) body_.protocol_error("no topic filter (MQTT section 3.8.3, 3.10.3)");
}

bool FilterReader::next(Subscription& out) {
  if (body_.left() == 0) return false;
  out = Subscription{};
  out.filter = body_.utf8("a topic filter is not well-formed UTF-8 (MQTT section 3.8.3, 3.10.3)");
  if (body_.ok() && !is_topic_filter(out.filter, version_))
    body_.malformed("a topic filter is empty or has a misplaced wildcard (MQTT section 4.7.1, 4.8.2)");
  if (packet_ == Of::subscribe) read_options(out);
  return body_.ok();
}

void FilterReader::read_options(Subscription& out) {  // MQTT section 3.8.3.1
  const std::uint8_t options = body_.u8();
  out.qos = options & 0x03;
  if (out.qos == 3) body_.malformed("a subscription with QoS 3 (MQTT section 3.8.3.1)");
  const std::uint8_t reserved = version_ == Version::v5_0 ? 0xC0 : 0xFC;
  if ((options & reserved) != 0) body_.malformed("reserved bits in the subscription options (MQTT section 3.8.3.1)");
  if (version_ != Version::v5_0) return;
  if ((options & 0x30) == 0x30) body_.protocol_error("retain handling is 3 (MQTT section 3.8.3.1)");
  if ((options & 0x04) != 0 && is_shared_filter(out.filter))
    body_.protocol_error("no local on a shared subscription (MQTT section 3.8.3.1)");
}

Acknowledgement read_acknowledgement(Version version, Reader& body) {
  Acknowledgement acknowledgement;
  acknowledgement.packet_id = read_packet_id(body);
  if (version == Version::v5_0) {  // both may be left out (MQTT section 3.4.2.1, 3.4.2.2.1)
    if (body.left() > 0) acknowledgement.reason = body.u8();
    if (body.left() > 0) pass_properties(body, PropertyPlace::acknowledgement);
  }
  if (body.left() > 0) body.malformed(kTrailing);
  return acknowledgement;
}

Disconnect read_disconnect(Version version, Reader& body) {
  Disconnect disconnect;
  if (version == Version::v5_0) {  // both may be left out (MQTT section 3.14.2.1, 3.14.2.2.1)
    if (body.left() > 0) disconnect.reason = body.u8();
    if (body.left() > 0) {
      PropertyReader properties(body, PropertyPlace::disconnect);
      for (Property p; properties.next(p);) {
        if (p.id == PropertyId::session_expiry_interval) disconnect.session_expiry_interval = p.number;
      }
    }
  }
  if (body.left() > 0) body.malformed(kTrailing);
  return disconnect;
}

}  // namespace mqtt
