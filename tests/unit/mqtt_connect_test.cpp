// What CONNECT parsing promises: it reads every version, keeps every rule of MQTT section 3.1, and answers errors in
// the peer's version.
#include <string>
#include <type_traits>

#include "relayd/mqtt/connect.h"
#include "relayd/mqtt/packets.h"
#include "tests/unit/catch.h"
#include "tests/unit/mqtt_bytes.h"

using namespace mqtt_test;
using mqtt::BadConnect;
using mqtt::Connect;
using mqtt::ConnectError;
using mqtt::NeedMore;
using mqtt::Version;

namespace {

Connect good(const Octets& bytes) {
  const auto result = mqtt::parse_connect(bytes);
  if (const auto* bad = std::get_if<BadConnect>(&result)) FAIL(bad->why);
  REQUIRE(std::holds_alternative<Connect>(result));
  return std::get<Connect>(result);
}
Connect good(const ConnectBytes& bytes) {
  Connect connect = good(bytes.bytes());
  connect.client_id = {};  // the bytes that it points to are freed
  return connect;
}

BadConnect bad(const Octets& bytes) {
  const auto result = mqtt::parse_connect(bytes);
  REQUIRE(std::holds_alternative<BadConnect>(result));
  CHECK_FALSE(std::get<BadConnect>(result).why.empty());
  return std::get<BadConnect>(result);
}
ConnectError error(const ConnectBytes& bytes) { return bad(bytes.bytes()).error; }

ConnectBytes with(ConnectBytes bytes, std::uint8_t flags, const Octets& payload = text("dev1")) {
  bytes.flags = flags;
  bytes.payload = payload;
  return bytes;
}

ConnectError error_with_property(const Octets& content) { return error(connect_v5_0(content)); }
ConnectError error_with_will_property(const Octets& content) {
  return error(with(connect_v5_0(), 0x06, text("dev1") + properties(content) + text("t") + text("")));
}

constexpr auto kMalformed = ConnectError::malformed;
constexpr auto kProtocolError = ConnectError::protocol_error;

}  // namespace

static_assert(std::is_trivially_copyable_v<Connect>);

TEST_CASE("a CONNECT of each version is parsed") {
  const Octets v3_1 = connect_v3_1().bytes();
  CHECK(good(v3_1).version == Version::v3_1);
  CHECK(good(v3_1).client_id == "dev1");
  const Octets v3_1_1 = connect_v3_1_1().bytes();
  CHECK(good(v3_1_1).version == Version::v3_1_1);
  CHECK(good(v3_1_1).client_id == "dev1");
  CHECK(good(v3_1_1).clean_start);
  CHECK(good(v3_1_1).keep_alive == 60);
  CHECK(good(v3_1_1).size == v3_1_1.size());
  const Octets v5_0 = connect_v5_0().bytes();
  CHECK(good(v5_0).version == Version::v5_0);
  CHECK(good(v5_0).client_id == "dev1");
}

TEST_CASE("a CONNECT without properties gets the standard's defaults") {
  const Connect connect = good(connect_v5_0());
  CHECK(connect.session_expiry_interval == 0);
  CHECK(connect.maximum_packet_size == mqtt::kNoSizeLimit);
  CHECK(connect.request_problem_information);
  CHECK_FALSE(connect.has_authentication_method);
  CHECK_FALSE(connect.will);
  CHECK_FALSE(connect.has_password);
}

TEST_CASE("the properties of a CONNECT are read") {
  const Connect connect =
      good(connect_v5_0(Octets{0x11} + u32(3600) + Octets{0x21} + u16(20) + Octets{0x27} + u32(1000) + Octets{0x22} +
                        u16(10) + Octets{0x19, 1, 0x17, 0} + Octets{0x26} + text("k") + text("v") + Octets{0x26} +
                        text("k") + text("v") + Octets{0x15} + text("SCRAM") + Octets{0x16} + text("data")));
  CHECK(connect.session_expiry_interval == 3600);
  CHECK(connect.maximum_packet_size == 1000);
  CHECK_FALSE(connect.request_problem_information);
  CHECK(connect.has_authentication_method);
}

TEST_CASE("the will and the credentials of a CONNECT are read") {
  const Octets payload = text("dev1") + text("will/topic") + text("gone") + text("user") + text("secret");
  const Connect connect = good(with(connect_v3_1_1(), 0xF6, payload));
  REQUIRE(connect.will);
  CHECK(connect.will->qos == 2);
  CHECK(connect.will->retain);
  CHECK(connect.has_password);

  const Octets will_properties = properties(Octets{0x18} + u32(5) + Octets{0x01, 1, 0x02} + u32(9) + Octets{0x03} +
                                            text("text") + Octets{0x08} + text("answer") + Octets{0x09} + text("id"));
  const Octets payload5 = text("dev1") + will_properties + text("t") + text("") + text("user");
  const Connect connect5 = good(with(connect_v5_0(), 0x8E, payload5));
  REQUIRE(connect5.will);
  CHECK(connect5.will->qos == 1);
  CHECK_FALSE(connect5.will->retain);
  CHECK_FALSE(connect5.has_password);
}

TEST_CASE("client ids of any length are accepted") {
  for (const std::size_t length : {0U, 23U, 24U, 65535U}) {
    const std::string id(length, 'x');
    for (ConnectBytes connect : {connect_v3_1(), connect_v3_1_1(), connect_v5_0()}) {
      connect.payload = text(id);
      const Octets bytes = connect.bytes();
      CHECK(good(bytes).client_id == id);
    }
  }
}

TEST_CASE("bytes after a CONNECT are not counted as part of it") {
  const Octets connect = connect_v5_0().bytes();
  CHECK(good(connect + Octets{0xC0, 0x00}).size == connect.size());
}

TEST_CASE("a mosquitto bridge is accepted as a device") {
  ConnectBytes bytes = connect_v3_1();
  bytes.level = 0x83;
  CHECK(good(bytes).version == Version::v3_1);
  bytes = connect_v3_1_1();
  bytes.level = 0x84;
  CHECK(good(bytes).version == Version::v3_1_1);
}

TEST_CASE("an unknown version is refused in a format that its client can read") {
  const auto answer = [](std::string_view name, std::uint8_t level) {
    ConnectBytes bytes = connect_v3_1_1();
    bytes.name = name;
    bytes.level = level;
    const BadConnect refused = bad(bytes.bytes());
    CHECK(refused.error == ConnectError::unsupported_version);
    return refused.answer_as;
  };
  CHECK(answer("MQTT", 3) == Version::v3_1_1);
  CHECK(answer("MQTT", 0) == Version::v3_1_1);
  CHECK(answer("MQTT", 0x83) == Version::v3_1_1);
  CHECK(answer("MQIsdp", 4) == Version::v3_1);
  CHECK(answer("MQTT", 6) == Version::v5_0);
  CHECK(answer("MQTT", 0x85) == Version::v5_0);
  CHECK(answer("MQTT", 255) == Version::v5_0);
  CHECK_FALSE(answer("mqtt", 4));
  CHECK_FALSE(answer("", 4));
  CHECK_FALSE(answer("MQTTX", 5));
}

TEST_CASE("a malformed CONNECT of a known version is answered in that version") {
  CHECK(bad(with(connect_v5_0(), 0x03).bytes()).answer_as == Version::v5_0);
  CHECK(bad(with(connect_v3_1_1(), 0x03).bytes()).answer_as == Version::v3_1_1);
  CHECK_FALSE(bad(packet(0x10, {})).answer_as);
  const ConnectBytes small = with(connect_v5_0(Octets{0x27} + u32(20)), 0x03);
  CHECK(bad(small.bytes()).maximum_packet_size == 20);
}

TEST_CASE("bytes that are not MQTT are refused at the first byte") {
  for (unsigned first = 0; first < 256; ++first) {
    if (first >> 4 == 1) continue;
    const BadConnect refused = bad({static_cast<std::uint8_t>(first)});
    CHECK(refused.error == ConnectError::not_connect);
    CHECK_FALSE(refused.answer_as);
  }
}

TEST_CASE("a CONNECT over the size limit is refused once its protocol level has come") {
  const auto refused = [](const Octets& bytes, std::uint32_t limit) {
    const auto result = mqtt::parse_connect(bytes, limit);
    REQUIRE(std::holds_alternative<BadConnect>(result));
    CHECK(std::get<BadConnect>(result).error == ConnectError::too_large);
    return std::get<BadConnect>(result);
  };
  const Octets connect = connect_v5_0().bytes();
  const auto size = static_cast<std::uint32_t>(connect.size());
  CHECK(std::holds_alternative<Connect>(mqtt::parse_connect(connect, size)));
  CHECK(refused(connect, size - 1).answer_as == Version::v5_0);
  constexpr size_t kDecided = 2 + 9;  // the fixed header, and room for the longest protocol name and its level
  for (size_t came = 2; came < kDecided; ++came)
    CHECK(std::holds_alternative<NeedMore>(mqtt::parse_connect(mqtt::Bytes(connect).first(came), size - 1)));
  CHECK(refused(Octets(connect.begin(), connect.begin() + kDecided), size - 1).answer_as == Version::v5_0);
  CHECK(std::holds_alternative<NeedMore>(mqtt::parse_connect(Octets{0x10} + variable_int(256 * 1024 - 4))));
  const Octets no_protocol(9, 0);
  CHECK(bad(Octets{0x10} + variable_int(256 * 1024 - 3) + no_protocol).error == ConnectError::too_large);
  CHECK_FALSE(bad(Octets{0x10, 0xFF, 0xFF, 0xFF, 0x7F} + no_protocol).answer_as);
}

TEST_CASE("a remaining length of more than four bytes is refused at the fourth") {
  CHECK(std::get<NeedMore>(mqtt::parse_connect(Octets{0x10, 0x80, 0x80, 0x80})).total == 0);
  CHECK(bad({0x10, 0x80, 0x80, 0x80, 0x80}).error == kMalformed);
}

TEST_CASE("a remaining length in more bytes than needed is accepted") {
  const Octets connect = connect_v3_1_1().bytes();
  Octets longer{0x10, static_cast<std::uint8_t>(connect[1] | 0x80), 0x80, 0x00};
  longer.insert(longer.end(), connect.begin() + 2, connect.end());
  CHECK(good(longer).size == connect.size() + 2);
  CHECK(good(longer).client_id == "dev1");
}

TEST_CASE("a CONNECT with flags in its fixed header is refused") {
  for (unsigned flags = 1; flags < 16; ++flags) {
    ConnectBytes bytes = connect_v3_1_1();
    bytes.first_byte = 0x10 | flags;
    CHECK(error(bytes) == kMalformed);
    bytes = connect_v5_0();
    bytes.first_byte = 0x10 | flags;
    CHECK(error(bytes) == kMalformed);
  }
}

TEST_CASE("a CONNECT with the reserved flag is refused") {
  CHECK(error(with(connect_v3_1_1(), 0x03)) == kMalformed);
  CHECK(error(with(connect_v5_0(), 0x03)) == kMalformed);
}

TEST_CASE("a CONNECT with will settings but no will flag is refused") {
  for (const auto& version : {connect_v3_1_1(), connect_v5_0()}) {
    CHECK(error(with(version, 0x0A)) == kMalformed);  // QoS 1
    CHECK(error(with(version, 0x12)) == kMalformed);  // QoS 2
    CHECK(error(with(version, 0x22)) == kMalformed);  // retain
  }
}

TEST_CASE("a CONNECT with a will of QoS 3 is refused") {
  const Octets payload = text("dev1") + text("t") + text("");
  CHECK(error(with(connect_v3_1(), 0x1E, payload)) == kMalformed);
  CHECK(error(with(connect_v3_1_1(), 0x1E, payload)) == kMalformed);
  CHECK(error(with(connect_v5_0(), 0x1E, text("dev1") + properties({}) + text("t") + text(""))) == kMalformed);
}

TEST_CASE("a will topic that is empty or has wildcards is refused") {
  for (const char* topic : {"", "a/#", "+/b"}) {
    CHECK(error(with(connect_v3_1_1(), 0x06, text("dev1") + text(topic) + text(""))) == kProtocolError);
    CHECK(error(with(connect_v5_0(), 0x06, text("dev1") + properties({}) + text(topic) + text(""))) == kProtocolError);
  }
}

TEST_CASE("a password without a user name is refused in MQTT 3.x only") {
  const Octets payload = text("dev1") + text("secret");
  CHECK(error(with(connect_v3_1(), 0x42, payload)) == kMalformed);
  CHECK(error(with(connect_v3_1_1(), 0x42, payload)) == kMalformed);
  CHECK(good(with(connect_v5_0(), 0x42, payload)).has_password);
}

TEST_CASE("MQTT 3.1 flags that its standard calls unused are ignored") {
  ConnectBytes bytes = with(connect_v3_1(), 0x2B);
  bytes.first_byte = 0x1A;
  CHECK_FALSE(good(bytes).will);
  // 3.1 section 3.1: user name and password may be missing although their flags are set.
  CHECK_FALSE(good(with(connect_v3_1(), 0xC2)).has_password);
  const Connect no_password = good(with(connect_v3_1(), 0xC2, text("dev1") + text("user")));
  CHECK_FALSE(no_password.has_password);
  CHECK(error(with(connect_v3_1_1(), 0xC2)) == kMalformed);
}

TEST_CASE("bytes after the last field of a CONNECT are refused") {
  for (auto bytes : {connect_v3_1(), connect_v3_1_1(), connect_v5_0()}) {
    bytes.payload = text("dev1") + Octets{0};
    CHECK(error(bytes) == kMalformed);
  }
}

TEST_CASE("a string that is not UTF-8 as MQTT allows it is refused") {
  using namespace std::string_view_literals;
  for (const auto wrong : {"a\0b"sv, "\xED\xA0\x80"sv, "\xC0\x80"sv, "\xFF"sv, "\xE2\x82"sv}) {
    CHECK(error(with(connect_v3_1(), 0x02, text(wrong))) == kMalformed);
    CHECK(error(with(connect_v3_1_1(), 0x02, text(wrong))) == kMalformed);
    CHECK(error(with(connect_v5_0(), 0x02, text(wrong))) == kMalformed);
    CHECK(error(with(connect_v3_1_1(), 0x06, text("d") + text(wrong) + text(""))) == kMalformed);
    CHECK(error(with(connect_v3_1_1(), 0x82, text("d") + text(wrong))) == kMalformed);
    CHECK(error_with_property(Octets{0x15} + text(wrong)) == kMalformed);
    CHECK(error_with_property(Octets{0x26} + text("k") + text(wrong)) == kMalformed);
    CHECK(error_with_will_property(Octets{0x03} + text(wrong)) == kMalformed);
    // Binary data may hold any byte.
    CHECK(
        good(with(connect_v3_1_1(), 0xC6, text("d") + text("t") + text(wrong) + text("u") + text(wrong))).has_password);
  }
}

TEST_CASE("a property that does not belong in a CONNECT is malformed") {
  for (std::uint8_t id = 0; id < 0x7F; ++id) {
    const bool connects = id == 0x11 || id == 0x15 || id == 0x16 || id == 0x17 || id == 0x19 || id == 0x21 ||
                          id == 0x22 || id == 0x26 || id == 0x27;
    const bool wills = id == 0x01 || id == 0x02 || id == 0x03 || id == 0x08 || id == 0x09 || id == 0x18 || id == 0x26;
    if (!connects) CHECK(error_with_property({id, 0, 1, 0, 1}) == kMalformed);
    if (!wills) CHECK(error_with_will_property({id, 0, 1, 0, 1}) == kMalformed);
  }
  CHECK(error_with_property({0x91, 0x01, 0, 0, 0, 0}) == kMalformed);  // an identifier above 127
}

TEST_CASE("a repeated property is a protocol error") {
  for (const Octets& property : {Octets{0x11} + u32(1), Octets{0x21} + u16(1), Octets{0x27} + u32(1),
                                 Octets{0x22} + u16(1), Octets{0x19, 1}, Octets{0x17, 1}, Octets{0x15} + text("m")}) {
    CHECK(error_with_property(property + property) == kProtocolError);
  }
  for (const Octets& property : {Octets{0x18} + u32(1), Octets{0x01, 1}, Octets{0x02} + u32(1),
                                 Octets{0x03} + text("m"), Octets{0x08} + text("t"), Octets{0x09} + text("d")}) {
    CHECK(error_with_will_property(property + property) == kProtocolError);
  }
}

TEST_CASE("a property value outside its range is a protocol error") {
  CHECK(error_with_property(Octets{0x21} + u16(0)) == kProtocolError);
  CHECK(error_with_property(Octets{0x27} + u32(0)) == kProtocolError);
  CHECK(error_with_property({0x19, 2}) == kProtocolError);
  CHECK(error_with_property({0x17, 2}) == kProtocolError);
  CHECK(error_with_property(Octets{0x16} + text("data without a method")) == kProtocolError);
  CHECK(error_with_will_property({0x01, 2}) == kProtocolError);
  CHECK(error_with_will_property(Octets{0x08} + text("a/+")) == kProtocolError);
}

TEST_CASE("properties that do not match their length are malformed") {
  const auto connect = [](const Octets& bytes) {
    ConnectBytes built = connect_v5_0();
    built.connect_properties = bytes;
    return error(built);
  };
  CHECK(connect({0x04, 0x11, 0, 0, 0, 0}) == kMalformed);        // cuts the property
  CHECK(connect({0x7F, 0x11, 0, 0, 0, 0}) == kMalformed);        // extends past the packet
  CHECK(connect({0x80, 0x80, 0x80, 0x80, 0x00}) == kMalformed);  // five bytes of length
  CHECK(error_with_property({0x26, 0, 1, 'k'}) == kMalformed);   // a name without a value
  CHECK(error_with_property({0x15, 0xFF, 0xFF}) == kMalformed);  // a string longer than the properties
}
