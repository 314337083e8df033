// Refusals and DISCONNECT have exactly the codes of the design's table, and are empty where the version has no
// code.
#include "relayd/mqtt/packets.h"

#include <string>

#include "relayd/mqtt/reader.h"
#include "tests/unit/catch.h"
#include "tests/unit/mqtt_bytes.h"

using namespace mqtt_test;
using mqtt::DisconnectReason;
using mqtt::Refusal;
using mqtt::Version;

namespace {

Octets octets(const mqtt::Packet& packet) { return {packet.bytes().begin(), packet.bytes().end()}; }

struct Row {
  Refusal refusal;
  std::uint8_t v5_0;
  int v3;  // -1: close without CONNACK
};

constexpr Row kDesign[] = {
    {Refusal::not_authorized, 0x87, 5},
    {Refusal::server_unavailable, 0x88, 3},
    {Refusal::server_busy, 0x89, 3},
    {Refusal::connection_rate_exceeded, 0x9F, 3},
    {Refusal::client_id_not_valid, 0x85, 2},
    {Refusal::unsupported_version, 0x84, 1},
    {Refusal::malformed, 0x81, -1},
    {Refusal::protocol_error, 0x82, -1},
    {Refusal::packet_too_large, 0x95, -1},
    {Refusal::banned, 0x8A, 5},
    {Refusal::bad_authentication_method, 0x8C, -1},
    {Refusal::use_another_server, 0x9C, 3},
};

}  // namespace

TEST_CASE("each refusal has its own CONNACK code in each protocol version") {
  CHECK(std::size(kDesign) == mqtt::kRefusals.size());
  for (const Row& row : kDesign) {
    CAPTURE(mqtt::codes(row.refusal).name);
    CHECK(octets(encode_connack(Version::v5_0, row.refusal)) == Octets{0x20, 3, 0, row.v5_0, 0});
    const Octets v3 = row.v3 < 0 ? Octets{} : Octets{0x20, 2, 0, static_cast<std::uint8_t>(row.v3)};
    CHECK(octets(encode_connack(Version::v3_1_1, row.refusal)) == v3);
    CHECK(octets(encode_connack(Version::v3_1, row.refusal)) == v3);
    CHECK(octets(encode_connack(Version::v3_1, row.refusal, "why")) == v3);
  }
}

TEST_CASE("a refusal never has a success code") {
  for (const auto& row : mqtt::kRefusals) {
    CHECK(row.v5_0 >= 0x80);
    CHECK(row.v3 <= 5);
    CHECK_FALSE(row.name.empty());
  }
}

TEST_CASE("with the code for another server, the text is the Server Reference") {
  const Octets reference = u16(4) + raw("gw:1");
  CHECK(octets(encode_connack(Version::v5_0, Refusal::use_another_server, "gw:1")) ==
        Octets{0x20, 10, 0, 0x9C, 7, 0x1C} + reference);
  CHECK(octets(encode_disconnect(Version::v5_0, DisconnectReason::use_another_server, "gw:1")) ==
        Octets{0xE0, 9, 0x9C, 7, 0x1C} + reference);
  CHECK(octets(encode_disconnect(Version::v5_0, DisconnectReason::use_another_server, "gw:1", 10)) ==
        Octets{0xE0, 1, 0x9C});  // more would exceed the device's Maximum Packet Size
  CHECK(encode_disconnect(Version::v3_1_1, DisconnectReason::use_another_server, "gw:1").empty());
}

TEST_CASE("the server's DISCONNECT is sent in MQTT 5.0 only") {
  CHECK(octets(encode_disconnect(Version::v5_0, DisconnectReason::server_shutting_down)) == Octets{0xE0, 1, 0x8B});
  CHECK(encode_disconnect(Version::v3_1_1, DisconnectReason::server_shutting_down).empty());
  CHECK(encode_disconnect(Version::v3_1, DisconnectReason::malformed, "why").empty());
  CHECK(static_cast<int>(DisconnectReason::unspecified_error) == 0x80);
  CHECK(static_cast<int>(DisconnectReason::administrative_action) == 0x98);
  CHECK(static_cast<int>(DisconnectReason::keep_alive_timeout) == 0x8D);
}

TEST_CASE("MQTT 5.0 refusals carry a reason string") {
  CHECK(octets(encode_connack(Version::v5_0, Refusal::server_busy, "try later")) ==
        packet(0x20, Octets{0, 0x89} + properties(Octets{0x1F} + text("try later"))));
  CHECK(octets(encode_disconnect(Version::v5_0, DisconnectReason::malformed, "odd")) ==
        packet(0xE0, Octets{0x81} + properties(Octets{0x1F} + text("odd"))));
}

TEST_CASE("a long reason string is cut between characters and the packet stays well formed") {
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::string reason(shift, 'x');
    for (int i = 0; i < 60; ++i) reason += "\xE2\x82\xAC";
    const Octets bytes = octets(encode_connack(Version::v5_0, Refusal::banned, reason));
    REQUIRE(bytes.size() > 8);
    CHECK(bytes[1] == bytes.size() - 2);
    const std::string kept(bytes.begin() + 8, bytes.end());
    CHECK(mqtt::is_mqtt_utf8(kept));
    CHECK(kept.size() <= mqtt::kMaxReason);
    CHECK(kept.size() > mqtt::kMaxReason - 4);
    CHECK(reason.compare(0, kept.size(), kept) == 0);
    CHECK(bytes[7] == kept.size());
  }
}

TEST_CASE("a reason string that MQTT forbids is left out") {
  CHECK(octets(encode_connack(Version::v5_0, Refusal::banned, "\xFF")) == Octets{0x20, 3, 0, 0x8A, 0});
  CHECK(octets(encode_connack(Version::v5_0, Refusal::banned, std::string(1, '\0'))) == Octets{0x20, 3, 0, 0x8A, 0});
}

TEST_CASE("a packet never exceeds the device's maximum packet size") {
  for (std::uint32_t maximum = 1; maximum < 150; ++maximum) {
    for (const auto& packet : {encode_connack(Version::v5_0, Refusal::server_busy, "please come back later", maximum),
                               encode_disconnect(Version::v5_0, DisconnectReason::malformed, "odd", maximum)}) {
      CHECK(packet.bytes().size() <= maximum);
    }
    CHECK(encode_connack(Version::v5_0, Refusal::server_busy, "x", maximum).empty() == (maximum < 5));
    CHECK(encode_disconnect(Version::v5_0, DisconnectReason::malformed, "x", maximum).empty() == (maximum < 3));
  }
  CHECK(encode_connack(Version::v5_0, Refusal::server_busy, "x", 8).bytes().size() == 5);
  CHECK(encode_connack(Version::v5_0, Refusal::server_busy, "x", 9).bytes().size() == 9);
}

TEST_CASE("a CONNECT that can't be parsed is answered in its own version") {
  const auto answer = [](const Octets& bytes) {
    return octets(encode_connack(std::get<mqtt::BadConnect>(mqtt::parse_connect(bytes))));
  };
  ConnectBytes unknown = connect_v3_1_1();
  unknown.level = 3;
  CHECK(answer(unknown.bytes()) == Octets{0x20, 2, 0, 1});
  unknown.level = 6;
  CHECK(answer(unknown.bytes())[3] == 0x84);
  ConnectBytes flagged = connect_v5_0();
  flagged.flags = 0x03;
  CHECK(answer(flagged.bytes())[3] == 0x81);
  flagged.connect_properties = properties(Octets{0x27} + u32(5));
  CHECK(answer(flagged.bytes()) == Octets{0x20, 3, 0, 0x81, 0});
  CHECK(answer(connect_v5_0(Octets{0x21} + u16(0)).bytes())[3] == 0x82);
  flagged = connect_v3_1_1();
  flagged.flags = 0x03;
  CHECK(answer(flagged.bytes()).empty());
  CHECK(answer(raw("GET / HTTP/1.1")).empty());
}
