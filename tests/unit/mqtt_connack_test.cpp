// The broker's keep alive is found in an MQTT 5.0 CONNACK, however its bytes are split.
#include "relayd/mqtt/connack.h"

#include <algorithm>

#include "tests/unit/catch.h"
#include "tests/unit/mqtt_bytes.h"

using namespace mqtt_test;
using mqtt::ConnackReader;

namespace {

Octets connack(const Octets& content) { return packet(0x20, Octets{0, 0} + properties(content)); }
Octets keep_alive(std::size_t seconds) { return Octets{0x13} + u16(seconds); }

// Each of the other properties of MQTT section 3.2.2.3, with texts of zero, one and many bytes.
Octets all_others() {
  return Octets{0x11} + u32(1) + Octets{0x21} + u16(2) + Octets{0x24, 1, 0x25, 1, 0x27} + u32(0x13131313) +
         Octets{0x12} + text("auto-1") + Octets{0x22} + u16(3) + Octets{0x1F} + text("") + Octets{0x26} +
         text("\x13\x13\x13") + text("") + Octets{0x26} + text("") + text("x") +
         Octets{0x28, 1, 0x29, 1, 0x2A, 1, 0x1A} + text(std::string(300, '\x13')) + Octets{0x1C} + text("r") +
         Octets{0x15} + text("m") + Octets{0x16} + text("d");
}

std::optional<std::uint16_t> read(const Octets& bytes, std::size_t chunk) {
  ConnackReader reader;
  for (std::size_t at = 0; at < bytes.size(); at += chunk) {
    const ExactCopy piece(mqtt::Bytes(bytes).subspan(at, std::min(chunk, bytes.size() - at)));
    reader.feed(piece.span());
  }
  CHECK(reader.done());
  return reader.server_keep_alive();
}

void check(const Octets& bytes, std::optional<std::uint16_t> expected) {
  for (std::size_t chunk = 1; chunk <= bytes.size(); chunk++) {
    CAPTURE(chunk);
    CHECK(read(bytes, chunk) == expected);
  }
}

}  // namespace

TEST_CASE("connack: the broker's keep alive is found, wherever it stands and however it is split") {
  check(connack(keep_alive(7)), 7);
  check(connack(keep_alive(0)), 0);
  check(connack(keep_alive(65535)), 65535);
  check(connack(all_others() + keep_alive(0x1234)), 0x1234);
  check(connack(keep_alive(0x1234) + all_others()), 0x1234);
}

TEST_CASE("connack: without the property the device's keep alive stays") {
  check(connack({}), std::nullopt);
  check(connack(all_others()), std::nullopt);
  check(packet(0x20, {0, 0}), std::nullopt);  // the form of 3.1.1
}

TEST_CASE("connack: an AUTH before it is skipped") {
  const Octets auth = packet(0xF0, Octets{0x18} + properties(Octets{0x15} + text("\x20\x13") + keep_alive(9)));
  check(auth + packet(0xF0, {}) + connack(keep_alive(7)), 7);
}

TEST_CASE("connack: nothing after it is read") {
  check(connack({}) + connack(keep_alive(7)), std::nullopt);
  check(connack(keep_alive(7)) + connack(keep_alive(8)), 7);
}

TEST_CASE("connack: a CONNACK that can't be followed has no keep alive") {
  check(packet(0x30, keep_alive(7)), std::nullopt);                                    // not a CONNACK
  check(packet(0x20, {}), std::nullopt);                                               // no code
  check(connack(Octets{0x7E} + keep_alive(7)), std::nullopt);                          // unknown property
  check(packet(0x20, {0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x13, 0, 7}), std::nullopt);       // a length of five bytes
  check(packet(0x20, {0, 0, 3, 0x13, 0}) + packet(0x30, {7}), std::nullopt);           // ends inside the property
  check(Octets{0x20, 0xFF, 0xFF, 0xFF, 0xFF} + connack(keep_alive(7)), std::nullopt);  // no remaining length
}

TEST_CASE("connack: the reason is found, however it is split, and cut where it is long") {
  const auto reason_of = [](const Octets& bytes, std::size_t chunk) {
    ConnackReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += chunk)
      reader.feed(mqtt::Bytes(bytes).subspan(at, std::min(chunk, bytes.size() - at)));
    CHECK(reader.done());
    return reader.reason();
  };
  const Octets refused = packet(0x20, Octets{0, 0x87} + properties(keep_alive(7) + Octets{0x1F} + text("no such") +
                                                                   Octets{0x26} + text("a") + text("b")));
  for (std::size_t chunk = 1; chunk <= refused.size(); chunk++) CHECK(reason_of(refused, chunk) == "no such");
  CHECK(reason_of(connack(all_others()), 1).empty());
  CHECK(reason_of(connack(Octets{0x1F} + text(std::string(1000, 'x'))), 7) == std::string(200, 'x'));
  CHECK(reason_of(packet(0x20, {0, 5}), 1).empty());
}

TEST_CASE("connack: its code and whether a session was kept, in each version") {
  const auto read_of = [](const Octets& bytes) {
    ConnackReader reader;
    reader.feed(mqtt::Bytes(bytes));
    return std::pair(reader.code(), reader.session_present());
  };
  using Read = std::pair<std::optional<std::uint8_t>, bool>;
  CHECK(read_of(Octets{0x20, 2, 0, 0}) == Read(0, false));
  CHECK(read_of(Octets{0x20, 2, 1, 0}) == Read(0, true));
  CHECK(read_of(Octets{0x20, 2, 0, 5}) == Read(5, false));
  CHECK(read_of(Octets{0x20, 3, 1, 0x87, 0}) == Read(0x87, true));
  CHECK(read_of(Octets{0x20, 2, 0}) == Read(std::nullopt, false));  // not yet
  CHECK(read_of(Octets{0x20, 1, 0}) == Read(std::nullopt, false));  // too short
  CHECK(read_of(Octets{0xd0, 0}) == Read(std::nullopt, false));     // PINGRESP
}
