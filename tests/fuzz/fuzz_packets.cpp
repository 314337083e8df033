// Any bytes as the body of each packet that a device may send after its CONNECT, and as properties in each place.
#include "relayd/mqtt/device_packets.h"
#include "relayd/mqtt/fixed_header.h"
#include "relayd/mqtt/properties.h"
#include "tests/fuzz/require.h"

namespace {

bool within(std::string_view part, mqtt::Bytes whole) {
  const auto* at = reinterpret_cast<const uint8_t*>(part.data());
  return part.empty() || (at >= whole.data() && at + part.size() <= whole.data() + whole.size());
}

void properties(mqtt::Bytes body) {
  for (const uint8_t place : {1, 2, 4, 8, 16, 32, 64}) {
    mqtt::Reader packet(body);
    mqtt::PropertyReader reader(packet, mqtt::PropertyPlace{place});
    mqtt::Property property;
    size_t found = 0;
    while (reader.next(property)) {
      REQUIRE(within(property.text, body));
      REQUIRE(++found <= body.size());  // each has at least one byte
    }
  }
}

void publish(mqtt::Version version, uint8_t flags, mqtt::Bytes body) {
  if (!mqtt::flags_are_valid(version, mqtt::PacketType::publish, flags)) return;  // the caller has checked them
  const auto remaining = static_cast<uint32_t>(body.size());
  const auto whole = mqtt::parse_publish(version, flags, body, remaining);
  REQUIRE(!std::holds_alternative<mqtt::NeedMore>(whole));
  const auto* good = std::get_if<mqtt::Publish>(&whole);
  if (good) REQUIRE(within(good->topic, body) && good->qos <= 2 && good->payload_at <= body.size());
  // Parsed again each time the requested number of bytes has arrived, it gives the same result.
  size_t had = 0;
  for (int turn = 0; turn < 8; turn++) {
    const auto part = mqtt::parse_publish(version, flags, body.first(had), remaining);
    const auto* more = std::get_if<mqtt::NeedMore>(&part);
    if (!more) {
      REQUIRE(part.index() == whole.index());
      break;
    }
    REQUIRE(more->total > had && more->total <= remaining);
    if (good) REQUIRE(more->total <= good->payload_at);
    had = more->total;
  }
}

void filters(mqtt::Version version, mqtt::FilterReader::Of packet, mqtt::Bytes body) {
  mqtt::FilterReader reader(version, packet, body);
  mqtt::Subscription subscription;
  size_t found = 0;
  while (reader.next(subscription)) {
    REQUIRE(within(subscription.filter, body) && !subscription.filter.empty() && subscription.qos <= 2);
    REQUIRE(++found <= body.size());
  }
  if (!reader.flaw()) REQUIRE(found > 0 && reader.packet_id() != 0);  // MQTT-3.8.3-2, MQTT-2.2.1-3
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t flags = data[0] & 15;
  const mqtt::Bytes body(data + 1, size - 1);
  properties(body);
  for (const auto version : {mqtt::Version::v3_1, mqtt::Version::v3_1_1, mqtt::Version::v5_0}) {
    publish(version, flags, body);
    filters(version, mqtt::FilterReader::Of::subscribe, body);
    filters(version, mqtt::FilterReader::Of::unsubscribe, body);
    mqtt::Reader acknowledgement(body), disconnect(body);
    (void)mqtt::read_acknowledgement(version, acknowledgement);
    (void)mqtt::read_disconnect(version, disconnect);
  }
  return 0;
}
