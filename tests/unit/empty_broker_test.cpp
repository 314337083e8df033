// What the built-in empty broker promises a device, however its bytes are cut.
#include "relayd/session/empty_broker.h"

#include <random>
#include <string>

#include "tests/unit/catch.h"
#include "tests/unit/mqtt_bytes.h"

using namespace mqtt_test;
using mqtt::DisconnectReason;
using mqtt::Refusal;
using mqtt::Version;
using relayd::EmptyBroker;
using Kind = EmptyBroker::Outcome::Kind;

namespace {

constexpr std::array<std::uint8_t, 16> kRandom{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0xFC, 0xFD, 0xFE, 0xFF};

Octets octets(const std::string& text) { return {text.begin(), text.end()}; }

EmptyBroker broker_for(const ConnectBytes& connect, std::uint32_t max_packet_size = mqtt::kMaxPacketSize) {
  const Octets bytes = connect.bytes();
  return EmptyBroker(std::get<mqtt::Connect>(mqtt::parse_connect(bytes)), max_packet_size);
}

// connack() expects an acceptance and returns the CONNACK; refusal() expects a refusal and no output.
Octets connack(const ConnectBytes& connect, std::uint32_t max_packet_size = mqtt::kMaxPacketSize) {
  std::string out;
  const auto outcome = broker_for(connect, max_packet_size).accept(kRandom, out);
  CHECK(outcome.kind == Kind::go_on);
  return octets(out);
}
Refusal refusal(const ConnectBytes& connect) {
  std::string out;
  const auto outcome = broker_for(connect).accept(kRandom, out);
  CHECK(outcome.kind == Kind::refused);
  CHECK(out.empty());
  CHECK_FALSE(outcome.why.empty());
  return outcome.refusal;
}

struct Answer {
  Octets out;
  EmptyBroker::Outcome outcome;
};

Answer answer_to(const ConnectBytes& connect, std::span<const std::uint8_t> in, std::size_t cut) {
  EmptyBroker broker = broker_for(connect);
  std::string out;
  broker.accept(kRandom, out);
  out.clear();
  const ExactCopy first(in.first(cut));
  const ExactCopy second(in.subspan(cut));
  broker.feed(first.span(), out);
  const auto outcome = broker.feed(second.span(), out);
  return {octets(out), outcome};
}

// The answer to `in`, the same wherever it is split.
Answer answer(const ConnectBytes& connect, const Octets& in) {
  const Answer whole = answer_to(connect, in, 0);
  for (std::size_t cut = 1; cut < in.size() && in.size() < 500; ++cut) {
    const Answer split = answer_to(connect, in, cut);
    REQUIRE(split.out == whole.out);
    REQUIRE(split.outcome.kind == whole.outcome.kind);
    REQUIRE(split.outcome.why == whole.outcome.why);
  }
  return whole;
}
Octets answered(const ConnectBytes& connect, const Octets& in) {
  const Answer got = answer(connect, in);
  CHECK(got.outcome.why == "");
  CHECK(got.outcome.kind == Kind::go_on);
  return got.out;
}
DisconnectReason failure(const ConnectBytes& connect, const Octets& in) {
  const Answer got = answer(connect, in);
  CHECK(got.outcome.kind == Kind::failed);
  CHECK_FALSE(got.outcome.why.empty());
  return got.outcome.reason;
}

ConnectBytes without_id(ConnectBytes connect, std::uint8_t flags) {
  connect.flags = flags;
  connect.payload = text("");
  return connect;
}

Octets publish(unsigned flags, std::string_view topic, const Octets& id, const Octets& rest) {
  return packet(0x30 | flags, text(topic) + id + rest);
}

const ConnectBytes k31 = connect_v3_1();
const ConnectBytes k311 = connect_v3_1_1();
const ConnectBytes k5 = connect_v5_0();
constexpr auto kMalformed = DisconnectReason::malformed;
constexpr auto kProtocolError = DisconnectReason::protocol_error;

}  // namespace

TEST_CASE("a device is accepted with session present 0") {
  CHECK(connack(k31) == Octets{0x20, 2, 0, 0});
  CHECK(connack(k311) == Octets{0x20, 2, 0, 0});
  CHECK(connack(k5) == Octets{0x20, 3, 0, 0, 0});
  ConnectBytes keeps = k311;
  keeps.flags = 0;  // clean session 0
  CHECK(connack(keeps) == Octets{0x20, 2, 0, 0});
}

TEST_CASE("a session expiry interval is answered with zero") {
  CHECK(connack(connect_v5_0(Octets{0x11} + u32(3600))) ==
        packet(0x20, Octets{0, 0} + properties(Octets{0x11} + u32(0))));
}

TEST_CASE("a maximum packet size below the protocol's is announced") {
  CHECK(connack(k5, 1000) == packet(0x20, Octets{0, 0} + properties(Octets{0x27} + u32(1000))));
  CHECK(connack(k311, 1000) == Octets{0x20, 2, 0, 0});
}

TEST_CASE("an MQTT 5.0 device without a client id is assigned one") {
  const Octets assigned = Octets{0x12} + text("auto-000102030405060708090a0bfcfdfeff");
  CHECK(connack(without_id(k5, 0x02)) == packet(0x20, Octets{0, 0} + properties(assigned)));
  CHECK(connack(without_id(k5, 0x00)) == packet(0x20, Octets{0, 0} + properties(assigned)));
}

TEST_CASE("an MQTT 3.1.1 device without a client id needs a clean session and a 3.1 device is refused") {
  CHECK(connack(without_id(k311, 0x02)) == Octets{0x20, 2, 0, 0});
  CHECK(refusal(without_id(k311, 0x00)) == Refusal::client_id_not_valid);
  CHECK(refusal(without_id(k31, 0x02)) == Refusal::client_id_not_valid);
}

TEST_CASE("a device with a retained will is accepted") {
  ConnectBytes connect = k5;
  connect.flags = 0x26;
  connect.payload = text("dev1") + properties({}) + text("dev1/state") + text("offline");
  CHECK(connack(connect) == Octets{0x20, 3, 0, 0, 0});
}

TEST_CASE("enhanced authentication is refused") {
  CHECK(refusal(connect_v5_0(Octets{0x15} + text("SCRAM"))) == Refusal::bad_authentication_method);
}

TEST_CASE("a CONNACK over the device's maximum packet size is not sent") {
  CHECK(connack(connect_v5_0(Octets{0x27} + u32(5))).size() == 5);
  CHECK(refusal(connect_v5_0(Octets{0x27} + u32(4))) == Refusal::packet_too_large);
  CHECK(refusal(without_id(connect_v5_0(Octets{0x27} + u32(20)), 2)) == Refusal::packet_too_large);
}

TEST_CASE("PINGREQ is answered") {
  for (const auto& connect : {k31, k311, k5}) CHECK(answered(connect, {0xC0, 0, 0xC0, 0}) == Octets{0xD0, 0, 0xD0, 0});
  CHECK(failure(k311, {0xC0, 1, 0}) == kMalformed);
}

TEST_CASE("subscriptions are granted with the requested QoS") {
  const Octets filters = text("a/+") + Octets{0} + text("#") + Octets{1} + text("b") + Octets{2};
  CHECK(answered(k311, packet(0x82, u16(7) + filters)) == Octets{0x90, 5, 0, 7, 0, 1, 2});
  CHECK(answered(k31, packet(0x8A, u16(7) + filters)) == Octets{0x90, 5, 0, 7, 0, 1, 2});
  const Octets with_identifier = properties(Octets{0x0B, 0xFF, 0x01});
  const Octets shared = text("$share/g/a") + Octets{0x19};
  CHECK(answered(k5, packet(0x82, u16(7) + with_identifier + filters + shared)) ==
        Octets{0x90, 7, 0, 7, 0, 0, 1, 2, 1});
}

TEST_CASE("a SUBACK has one code for each filter") {
  Octets filters;
  for (int i = 0; i < 300; ++i) filters = filters + text("f") + Octets{1};
  CHECK(answered(k311, packet(0x82, u16(7) + filters)) == packet(0x90, u16(7) + Octets(300, 1)));
  CHECK(answered(k5, packet(0x82, u16(7) + Octets{0} + filters)) == packet(0x90, u16(7) + Octets{0} + Octets(300, 1)));
}

TEST_CASE("an invalid SUBSCRIBE ends the session") {
  const Octets good = text("a") + Octets{0};
  CHECK(failure(k311, packet(0x80, u16(7) + good)) == kMalformed);
  CHECK(failure(k311, packet(0x82, u16(0) + good)) == kProtocolError);
  CHECK(failure(k311, packet(0x82, u16(7))) == kProtocolError);
  CHECK(failure(k311, packet(0x82, u16(7) + text("a"))) == kMalformed);
  CHECK(failure(k311, packet(0x82, u16(7) + text("") + Octets{0})) == kMalformed);
  CHECK(failure(k311, packet(0x82, u16(7) + good + text("a/#/b") + Octets{0})) == kMalformed);
  CHECK(failure(k311, packet(0x82, u16(7) + text("a") + Octets{3})) == kMalformed);
  CHECK(failure(k311, packet(0x82, u16(7) + text("a") + Octets{4})) == kMalformed);
  CHECK(failure(k5, packet(0x82, u16(7) + Octets{0} + text("a") + Octets{0x40})) == kMalformed);
  CHECK(failure(k5, packet(0x82, u16(7) + Octets{0} + text("a") + Octets{0x30})) == kProtocolError);
  CHECK(failure(k5, packet(0x82, u16(7) + Octets{0} + text("$share/g/a") + Octets{0x04})) == kProtocolError);
  CHECK(failure(k5, packet(0x82, u16(7) + properties({0x0B, 0}) + good)) == kProtocolError);
  CHECK(failure(k5, packet(0x82, u16(7) + properties({0x01, 0}) + good)) == kMalformed);
}

TEST_CASE("UNSUBSCRIBE is acknowledged") {
  CHECK(answered(k311, packet(0xA2, u16(9) + text("a") + text("b"))) == Octets{0xB0, 2, 0, 9});
  CHECK(answered(k5, packet(0xA2, u16(9) + Octets{0} + text("a") + text("b"))) == Octets{0xB0, 5, 0, 9, 0, 0, 0});
  CHECK(failure(k311, packet(0xA2, u16(9))) == kProtocolError);
  CHECK(failure(k311, packet(0xA0, u16(9) + text("a"))) == kMalformed);
}

TEST_CASE("a PUBLISH is acknowledged according to its QoS") {
  const Octets payload(40, 'x');
  CHECK(answered(k311, publish(0, "t", {}, payload)).empty());
  CHECK(answered(k311, publish(1, "t", {}, {})).empty());  // retained, empty
  CHECK(answered(k311, publish(2, "t", u16(5), payload)) == Octets{0x40, 2, 0, 5});
  CHECK(answered(k311, publish(4, "t", u16(6), payload)) == Octets{0x50, 2, 0, 6});
  const Octets extra = properties(Octets{0x01, 1, 0x26} + text("k") + text("v") + Octets{0x08} + text("answer"));
  CHECK(answered(k5, publish(2, "t", u16(5), extra + payload)) == Octets{0x40, 3, 0, 5, 0x10});
  CHECK(answered(k5, publish(4, "t", u16(6), extra)) == Octets{0x50, 3, 0, 6, 0x10});
  CHECK(answered(k5, publish(10, "t", u16(5), Octets{0})) == Octets{0x40, 3, 0, 5, 0x10});  // resent
}

TEST_CASE("a PUBLISH is acknowledged only when it has arrived whole") {
  EmptyBroker broker = broker_for(k311);
  std::string out;
  const Octets bytes = publish(2, "t", u16(5), Octets(10, 'x'));
  broker.feed(std::span<const std::uint8_t>(bytes).first(bytes.size() - 1), out);
  CHECK(out.empty());
  broker.feed(std::span<const std::uint8_t>(bytes).last(1), out);
  CHECK(octets(out) == Octets{0x40, 2, 0, 5});
}

TEST_CASE("PUBREL is answered with PUBCOMP") {
  for (const auto& connect : {k31, k311, k5}) CHECK(answered(connect, {0x62, 2, 0, 6}) == Octets{0x70, 2, 0, 6});
  CHECK(answered(k31, {0x6A, 2, 0, 6}) == Octets{0x70, 2, 0, 6});  // resent
  CHECK(answered(k5, {0x62, 3, 0, 6, 0x92}) == Octets{0x70, 2, 0, 6});
  CHECK(failure(k311, {0x60, 2, 0, 6}) == kMalformed);
  CHECK(failure(k311, {0x62, 2, 0, 0}) == kProtocolError);
  CHECK(failure(k311, {0x62, 3, 0, 6, 0}) == kMalformed);
  CHECK(failure(k311, {0x62, 1, 0}) == kMalformed);
}

TEST_CASE("acknowledgements from an earlier session are ignored") {
  CHECK(answered(k311, {0x40, 2, 0, 6, 0x70, 2, 0, 6}).empty());
  CHECK(answered(k311, {0x50, 2, 0, 6}) == Octets{0x62, 2, 0, 6});
  CHECK(answered(k5, {0x50, 2, 0, 6}) == Octets{0x62, 3, 0, 6, 0x92});
  CHECK(answered(k5, {0x50, 3, 0, 6, 0x80}).empty());
}

TEST_CASE("an invalid PUBLISH ends the session") {
  CHECK(failure(k311, publish(6, "t", u16(5), {})) == kMalformed);      // QoS 3
  CHECK(failure(k311, publish(8, "t", {}, {})) == kMalformed);          // DUP with QoS 0
  CHECK(failure(k311, publish(2, "t", u16(0), {})) == kProtocolError);  // packet identifier 0
  CHECK(failure(k311, publish(0, "a/#", {}, {})) == kProtocolError);
  CHECK(failure(k311, publish(0, "", {}, {})) == kProtocolError);
  CHECK(failure(k311, publish(0, "\xFF", {}, {})) == kMalformed);
  CHECK(failure(k311, packet(0x30, {0, 5, 'a'})) == kMalformed);  // the topic is longer than the packet
  CHECK(failure(k311, packet(0x30, {})) == kMalformed);
  CHECK(failure(k311, packet(0x32, text("t"))) == kMalformed);             // no packet identifier
  CHECK(failure(k5, packet(0x30, text("t"))) == kMalformed);               // no property length
  CHECK(failure(k5, publish(0, "t", {}, Octets{9, 1, 1})) == kMalformed);  // properties longer than the packet
  CHECK(failure(k5, publish(0, "t", {}, Octets{0x80, 0x80, 0x80, 0x80, 0})) == kMalformed);
  CHECK(failure(k5, publish(0, "t", {}, properties({0x0B, 1}))) == kProtocolError);  // subscription identifier
  CHECK(failure(k5, publish(0, "", {}, properties({}))) == kProtocolError);
}

TEST_CASE("a topic alias ends the session") {
  const Octets alias = properties({0x23, 0, 1});
  CHECK(failure(k5, publish(0, "", {}, alias)) == DisconnectReason::topic_alias_invalid);
  CHECK(failure(k5, publish(0, "t", {}, alias)) == DisconnectReason::topic_alias_invalid);
}

TEST_CASE("DISCONNECT closes the session and later bytes are not read") {
  for (const auto& connect : {k31, k311, k5}) {
    const Answer got = answer(connect, {0xE0, 0, 0xC0, 0});
    CHECK(got.outcome.kind == Kind::closed);
    CHECK(got.out.empty());
  }
  CHECK(answer(k5, {0xE0, 1, 4}).outcome.kind == Kind::closed);
  CHECK(answer(k5, packet(0xE0, Octets{0} + properties(Octets{0x1F} + text("bye")))).outcome.kind == Kind::closed);
  CHECK(failure(k311, {0xE0, 1, 0}) == kMalformed);
  CHECK(failure(k311, {0xE1, 0}) == kMalformed);
  const Octets longer = packet(0xE0, Octets{0} + properties(Octets{0x11} + u32(60)));
  CHECK(failure(k5, longer) == kProtocolError);
  CHECK(answer(connect_v5_0(Octets{0x11} + u32(1)), longer).outcome.kind == Kind::closed);
}

TEST_CASE("a second CONNECT or a server's packet is a protocol error") {
  CHECK(failure(k311, k311.bytes()) == kProtocolError);
  for (const std::uint8_t first : Octets{0x20, 0x90, 0xB0, 0xD0}) CHECK(failure(k5, {first, 0}) == kProtocolError);
  CHECK(failure(k5, {0xF0, 0}) == kProtocolError);
  CHECK(failure(k311, {0xF0, 0}) == kMalformed);
  CHECK(failure(k5, {0x00, 0}) == kMalformed);
  CHECK(failure(k5, {0x30, 0x80, 0x80, 0x80, 0x80}) == kMalformed);
}

TEST_CASE("packets before an error are answered") {
  const Answer got = answer(k311, Octets{0xC0, 0} + Octets{0x00, 0} + Octets{0xC0, 0});
  CHECK(got.outcome.kind == Kind::failed);
  CHECK(got.out == Octets{0xD0, 0});
}

TEST_CASE("a large payload passes in chunks of any size") {
  EmptyBroker broker = broker_for(k5);
  std::string out;
  const Octets bytes = publish(2, "t", u16(5), Octets{0} + Octets(5'000'000, 'x'));
  std::span<const std::uint8_t> rest(bytes);
  while (!rest.empty()) {
    const auto piece = std::min<std::size_t>(rest.size(), 65'536);
    CHECK(out.empty());
    REQUIRE(broker.feed(rest.first(piece), out).kind == Kind::go_on);
    rest = rest.subspan(piece);
  }
  CHECK(octets(out) == Octets{0x40, 3, 0, 5, 0x10});
}

TEST_CASE("a packet too large to buffer is refused") {
  const auto fails = [](const ConnectBytes& connect, const Octets& bytes, std::uint32_t max_packet_size = 1 << 20) {
    EmptyBroker broker = broker_for(connect, max_packet_size);
    std::string out;
    const auto outcome = broker.feed(bytes, out);
    CHECK(outcome.kind == Kind::failed);
    return outcome.reason;
  };
  constexpr auto kTooLarge = DisconnectReason::packet_too_large;
  CHECK(fails(k311, Octets{0x82} + variable_int(EmptyBroker::kMaxBody + 1)) == kTooLarge);  // from its header
  CHECK(fails(k5, Octets{0x62} + variable_int(EmptyBroker::kMaxBody + 1)) == kTooLarge);
  CHECK(fails(k311, Octets{0x30} + variable_int(98) + Octets{}, 99) == kTooLarge);
  CHECK(fails(k5, Octets{0x30} + variable_int(300'000) + text("t") + variable_int(140'000)) == kTooLarge);
  // The longest topic, split at its last byte.
  const Octets longest = publish(2, std::string(65535, 't'), u16(1), Octets{0});
  CHECK(answer_to(k5, longest, longest.size() - 2).out == Octets{0x40, 3, 0, 1, 0x10});
}

TEST_CASE("a SUBACK over the device's maximum packet size ends the session") {
  const ConnectBytes small = connect_v5_0(Octets{0x27} + u32(8));
  const Octets one = text("a") + Octets{0};
  CHECK(answered(small, packet(0x82, u16(7) + Octets{0} + one + one + one)).size() == 8);
  CHECK(failure(small, packet(0x82, u16(7) + Octets{0} + one + one + one + one)) == DisconnectReason::packet_too_large);
  Octets many = u16(7) + Octets{0};
  for (int i = 0; i < 125; ++i) many = many + one;  // a remaining length of 128, which has two bytes
  CHECK(answered(connect_v5_0(Octets{0x27} + u32(131)), packet(0x82, many)).size() == 131);
  CHECK(failure(connect_v5_0(Octets{0x27} + u32(130)), packet(0x82, many)) == DisconnectReason::packet_too_large);
}

TEST_CASE("random sessions get the same answers in any chunks and bounded output") {
  std::mt19937 random(5);
  const Octets pool[] = {{0xC0, 0},
                         {0x62, 2, 0, 1},
                         {0x50, 2, 0, 1},
                         publish(2, "t", u16(1), {0}),
                         publish(4, "t/u", u16(2), Octets(90, 0)),
                         publish(0, "t", {}, Octets(20, 0)),
                         packet(0x82, u16(3) + Octets{0} + text("a") + Octets{1}),
                         packet(0xA2, u16(4) + Octets{0} + text("a")),
                         publish(3, "long", u16(9), Octets{0} + Octets(3000, 1))};
  for (int round = 0; round < 2'000; ++round) {
    Octets in;
    for (std::size_t count = 1 + random() % 12; count > 0; --count) in = in + pool[random() % std::size(pool)];
    if (round % 4 == 0) in[random() % in.size()] = static_cast<std::uint8_t>(random());
    const Answer whole = answer_to(k5, in, 0);
    CHECK(whole.out.size() * 4 <= in.size() * 5);
    EmptyBroker broker = broker_for(k5);
    std::string out;
    EmptyBroker::Outcome outcome;
    for (std::span<const std::uint8_t> rest(in); !rest.empty();) {
      const auto piece = std::min<std::size_t>(rest.size(), 1 + random() % (random() % 3 == 0 ? 2000 : 5));
      const ExactCopy copy(rest.first(piece));
      outcome = broker.feed(copy.span(), out);
      rest = rest.subspan(piece);
    }
    REQUIRE(octets(out) == whole.out);
    REQUIRE(outcome.kind == whole.outcome.kind);
    REQUIRE(outcome.why == whole.outcome.why);
  }
}
