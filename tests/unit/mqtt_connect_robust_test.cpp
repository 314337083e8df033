// Whatever the bytes, the CONNECT parser reads only them and gives one of its three answers.
#include <random>

#include "relayd/mqtt/connect.h"
#include "tests/unit/catch.h"
#include "tests/unit/mqtt_bytes.h"

using namespace mqtt_test;
using mqtt::BadConnect;
using mqtt::Connect;
using mqtt::NeedMore;

namespace {

std::vector<Octets> examples() {
  const Octets will = text("last/will") + text("\x01payload");
  const Octets login = text("us\xC3\xA9r") + text("secret");
  ConnectBytes v3_1 = connect_v3_1();
  v3_1.flags = 0xEE;
  v3_1.payload = text("device-31") + will + login;
  ConnectBytes v3_1_1 = connect_v3_1_1();
  v3_1_1.flags = 0xF6;
  v3_1_1.payload = text("device-311") + will + login;
  ConnectBytes v5_0 =
      connect_v5_0(Octets{0x11} + u32(3600) + Octets{0x21} + u16(20) + Octets{0x27} + u32(1000) + Octets{0x17, 1} +
                   Octets{0x26} + text("k") + text("v") + Octets{0x15} + text("m") + Octets{0x16} + text("d"));
  v5_0.flags = 0xCE;
  v5_0.payload =
      text("device-5") + properties(Octets{0x18} + u32(5) + Octets{0x01, 1} + Octets{0x08} + text("r")) + will + login;
  return {v3_1.bytes(), v3_1_1.bytes(), v5_0.bytes(), connect_v3_1_1().bytes(), connect_v5_0().bytes()};
}

// Parses an exact copy and checks the invariants of every answer. True for a Connect.
bool parse_and_check(const Octets& bytes) {
  const ExactCopy copy(bytes);
  const auto result = mqtt::parse_connect(copy.span());
  if (const auto* more = std::get_if<NeedMore>(&result)) {
    if (more->total == 0) REQUIRE(bytes.size() < 5);
    if (more->total != 0) REQUIRE(more->total > bytes.size());
    return false;
  }
  if (const auto* bad = std::get_if<BadConnect>(&result)) {
    REQUIRE_FALSE(bad->why.empty());
    return false;
  }
  const Connect& connect = std::get<Connect>(result);
  const auto* begin = reinterpret_cast<const char*>(copy.span().data());
  REQUIRE(connect.size <= bytes.size());
  REQUIRE(connect.client_id.data() >= begin);
  REQUIRE(connect.client_id.data() + connect.client_id.size() <= begin + connect.size);
  if (connect.will) REQUIRE(connect.will->qos <= 2);
  REQUIRE(connect.maximum_packet_size > 0);
  return true;
}

}  // namespace

TEST_CASE("every prefix of a CONNECT asks for the right number of further bytes") {
  for (const Octets& example : examples()) {
    for (std::size_t length = 0; length < example.size(); ++length) {
      const ExactCopy copy(std::span<const std::uint8_t>(example).first(length));
      const auto result = mqtt::parse_connect(copy.span());
      REQUIRE(std::holds_alternative<NeedMore>(result));
      REQUIRE(std::get<NeedMore>(result).total == (length < 2 ? 0 : example.size()));
    }
    CHECK(parse_and_check(example));
  }
}

TEST_CASE("a CONNECT cut short under a matching length is refused") {
  for (const Octets& example : examples()) {
    const Octets body(example.begin() + 2, example.end());
    const bool v3_1 = body[1] == 6;
    std::size_t accepted = 0;
    for (std::size_t length = 0; length < body.size(); ++length)
      accepted += parse_and_check(packet(0x10, Octets(body.begin(), body.begin() + static_cast<long>(length)))) ? 1 : 0;
    CHECK(accepted == (v3_1 ? 2 : 0));  // 3.1 may leave out the password, or user name and password
  }
}

TEST_CASE("a CONNECT with any byte changed never breaks the parser") {
  for (const Octets& example : examples()) {
    for (std::size_t at = 0; at < example.size(); ++at) {
      Octets mutant = example;
      for (unsigned value = 0; value < 256; ++value) {
        mutant[at] = static_cast<std::uint8_t>(value);
        parse_and_check(mutant);
      }
    }
  }
}

TEST_CASE("random mutations never make the parser read outside its bytes") {
  std::mt19937 random(1883);
  const std::vector<Octets> seeds = examples();
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  std::size_t accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    Octets mutant = seeds[below(seeds.size())];
    for (std::size_t changes = 1 + below(6); changes > 0; --changes) {
      const auto at = static_cast<long>(below(mutant.size() - 2) + 2);
      switch (below(3)) {
        case 0: mutant[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random()); break;
        case 1: mutant.insert(mutant.begin() + at, static_cast<std::uint8_t>(random())); break;
        default:
          if (mutant.size() > 4) mutant.erase(mutant.begin() + at);
      }
    }
    const Octets body(mutant.begin() + 2, mutant.end());
    if (parse_and_check(packet(0x10, body))) ++accepted;
  }
  CHECK(accepted > 1000);  // the mutations are small enough to reach deep into the parser
}

TEST_CASE("random bytes never break the CONNECT parser") {
  std::mt19937 random(8883);
  for (int round = 0; round < 20'000; ++round) {
    Octets bytes(random() % 64);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    if (!bytes.empty()) bytes[0] = 0x10;
    parse_and_check(bytes);
  }
}
