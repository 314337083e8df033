// What a trace tells of MQTT packets.
#include "relayd/mqtt/packet_lister.h"

#include <numeric>

#include "tests/unit/catch.h"

namespace {

using Octets = std::vector<std::uint8_t>;

Octets octets(std::initializer_list<int> values) { return {values.begin(), values.end()}; }

std::string shown(const std::vector<mqtt::ListedPacket>& packets) {
  std::string all;
  for (const mqtt::ListedPacket& packet : packets) {
    all += std::string(mqtt::name(packet.type)) + " " + std::to_string(packet.size);
    if (packet.type == mqtt::PacketType::publish) all += " q" + std::to_string(packet.qos);
    if (packet.dup) all += " dup";
    if (packet.retain) all += " retain";
    if (packet.id) all += " #" + std::to_string(*packet.id);
    if (packet.reason) all += " r" + std::to_string(*packet.reason);
    if (!packet.topic.empty()) all += " " + packet.topic;
    all += "; ";
  }
  return all;
}

std::string listed(const Octets& stream, std::size_t chunk, mqtt::Version version, std::uint32_t skip = 0) {
  mqtt::PacketLister lister(version, skip);
  std::vector<mqtt::ListedPacket> found;
  for (std::size_t at = 0; at < stream.size(); at += chunk)
    lister.feed(mqtt::Bytes(stream).subspan(at, std::min(chunk, stream.size() - at)), found);
  return shown(found);
}

}  // namespace

TEST_CASE("packet lister: types, sizes, flags, ids, reasons and topics, however the stream is split", "[lister]") {
  const Octets stream =
      octets({0x10, 4,  's',  'e',  'c',  'r',                                       // CONNECT, not looked into
              0x20, 3,  0,    0x87, 0,                                               // CONNACK
              0x3b, 7,  0,    2,    'a',  '/',  0x12, 0x34, 'p',                     // PUBLISH
              0x30, 4,  0,    1,    't',  'p',                                       // QoS 0
              0x40, 2,  0,    7,    0x40, 3,    0,    8,    0x10,                    // PUBACK
              0x82, 11, 0,    9,    3,    0x0b, 1,    1,    0,    2, 'f',  '#',  1,  // SUBSCRIBE with a property
              0x90, 5,  0,    9,    0,    1,    0x80,                                // SUBACK
              0xc0, 0,  0xd0, 0,    0xf0, 2,    0x18, 'x',  0xe0, 1, 0x04, 0xe0, 0});
  const std::string all =
      "CONNECT 6; CONNACK 5 r135; PUBLISH 9 q1 dup retain #4660 a/; PUBLISH 6 q0 t; PUBACK 4 #7; PUBACK 5 #8 r16; "
      "SUBSCRIBE 13 #9 f#; SUBACK 7 #9 r1; PINGREQ 2; PINGRESP 2; AUTH 4 r24; DISCONNECT 3 r4; DISCONNECT 2; ";
  for (std::size_t chunk = 1; chunk <= stream.size(); chunk++) {
    CAPTURE(chunk);
    CHECK(listed(stream, chunk, mqtt::Version::v5_0) == all);
  }
}

TEST_CASE("packet lister: it joins in the middle of a packet, and topics that are too long are left out", "[lister]") {
  CHECK(listed(octets({0x30, 0x30, 0x30, 0xc0, 0}), 1, mqtt::Version::v3_1_1, 3) == "PINGREQ 2; ");
  Octets large = octets({0x32, 0x88, 0x10, 0x08, 0x00});  // 2,056 bytes, of which the topic has 2,048
  large.resize(3 + 2056, 't');
  CHECK(listed(large, 100, mqtt::Version::v3_1_1) == "PUBLISH 2059 q1; ");
}

TEST_CASE("packet lister: malformed bytes yield claims, and nothing worse", "[lister]") {
  Octets all(4096);
  std::iota(all.begin(), all.end(), std::uint8_t{0});
  for (std::size_t from = 0; from < 256; from++) {
    const Octets stream(all.begin() + static_cast<std::ptrdiff_t>(from), all.end());
    CHECK(listed(stream, 1, mqtt::Version::v5_0) == listed(stream, 4096, mqtt::Version::v5_0));
  }
  for (int type = 0; type < 16; type++)
    for (const int size : {0, 1, 2, 3}) {
      Octets stream = octets({type << 4 | 2, size});
      stream.resize(stream.size() + static_cast<std::size_t>(size), 0xff);
      CHECK_FALSE(listed(stream, 1, mqtt::Version::v5_0).empty());
    }
}
