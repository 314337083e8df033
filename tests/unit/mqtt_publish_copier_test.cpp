#include "relayd/mqtt/client_packets.h"
#include "relayd/mqtt/publish_copier.h"
#include "tests/unit/catch.h"

using namespace mqtt;
using namespace std::string_literals;

namespace {

using Text = std::string;

Text text_of(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }
Bytes bytes_of(const Text& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

Text packet(std::uint8_t first, const Text& body) {
  std::vector<std::uint8_t> head{first};
  append_length(head, body.size());
  return text_of(head) + body;
}
Text field(const Text& text) {
  return Text{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())} + text;
}
// A PUBLISH in MQTT 5.0 with these properties, encoded.
Text publish_v5(const Text& topic, const Text& properties, const Text& payload) {
  return packet(0x30, field(topic) + static_cast<char>(properties.size()) + properties + payload);
}

struct Copied {
  Text bytes;
  PublishCopier::Counts counts;
};
// Feeds `stream` in pieces of each size; the copies must not depend on it.
Copied copied(Version version, const Text& stream, const Text& prefix = "", std::uint32_t most = 1000) {
  std::optional<Copied> first;
  for (const std::size_t piece : {stream.size(), std::size_t{1}, std::size_t{7}}) {
    PublishCopier copier(version, prefix, most);
    std::vector<std::uint8_t> out;
    for (std::size_t at = 0; at < stream.size(); at += piece) copier.feed(bytes_of(stream.substr(at, piece)), out);
    const Copied now{text_of(out), copier.take_counts()};
    if (!first) first = now;
    CHECK(now.bytes == first->bytes);
    CHECK(now.counts.copied == first->counts.copied);
    CHECK(now.counts.too_large == first->counts.too_large);
    CHECK(now.counts.unknown_alias == first->counts.unknown_alias);
  }
  return *first;
}

const Text kConnect = packet(0x10, field("MQTT") + "\x04\x02\x00\x3c"s + field("dev1"));

}  // namespace

TEST_CASE("publish copier: PUBLISH packets become MQTT 5.0 at QoS 0, and others are left out") {
  const Text stream = kConnect + packet(0x30, field("a/b") + "zero") + packet(0xC0, "") +
                      packet(0x32, field("a/c") + "\0\x07"s + "one") + packet(0x62, "\0\x08"s) +
                      packet(0x3D, field("a/d") + "\0\x09"s + "two, retained, again");
  const auto now = copied(Version::v3_1_1, stream);
  CHECK(now.bytes == publish_v5("a/b", "", "zero") + publish_v5("a/c", "", "one") +
                         packet(0x31, field("a/d") + "\0"s + "two, retained, again"));
  CHECK(now.counts.copied == 3);
  CHECK(copied(Version::v3_1, packet(0x30, field("a") + "")).bytes == publish_v5("a", "", ""));
}

TEST_CASE("publish copier: the prefix goes before the topic") {
  CHECK(copied(Version::v3_1_1, packet(0x30, field("a/b") + "x"), "site7/").bytes == publish_v5("site7/a/b", "", "x"));
}

TEST_CASE("publish copier: properties are kept, and an alias becomes its topic") {
  const Text type = "\x03"s + field("text/plain"), user = "\x26"s + field("k") + field("v"), alias = "\x23\0\x05"s;
  const auto now =
      copied(Version::v5_0, publish_v5("a/b", type + alias + user, "1") + publish_v5("", alias + user, "2") +
                                publish_v5("a/c", alias, "3") + publish_v5("", alias, "4") +
                                publish_v5("", "\x23\0\x06"s, "5") + publish_v5("a/d", type, "6"));
  CHECK(now.bytes == publish_v5("a/b", type + user, "1") + publish_v5("a/b", user, "2") + publish_v5("a/c", "", "3") +
                         publish_v5("a/c", "", "4") + publish_v5("a/d", type, "6"));
  CHECK(now.counts.copied == 5);
  CHECK(now.counts.unknown_alias == 1);
}

TEST_CASE("publish copier: what is too large is left out and counted, and its alias is known all the same") {
  const Text alias = "\x23\0\x05"s, large(2000, 'x');
  const auto now = copied(Version::v5_0, publish_v5("a/b", alias, large) + publish_v5("", alias, "small"));
  CHECK(now.bytes == publish_v5("a/b", "", "small"));
  CHECK(now.counts.too_large == 1);
  CHECK(copied(Version::v3_1_1, packet(0x30, field(Text(65530, 't')) + "x"), "a prefix", 100'000).counts.too_large ==
        1);
}

TEST_CASE("publish copier: topics of aliases have a bound") {
  Text stream;
  for (char i = 1; i <= 3; i++) stream += publish_v5(Text(30'000, static_cast<char>('a' + i)), "\x23\0"s + i, "");
  for (char i = 1; i <= 3; i++) stream += publish_v5("", "\x23\0"s + i, "again");
  const auto now = copied(Version::v5_0, stream, "", 40'000);
  CHECK(now.counts.copied == 5);
  CHECK(now.counts.unknown_alias == 1);
}

TEST_CASE("publish copier: after a malformed PUBLISH nothing more is copied") {
  const Text good = packet(0x30, field("a") + "x");
  for (const Text& bad : {packet(0x30, field("a/#") + "x"), packet(0x32, field("a") + "\0\0"s), packet(0x30, "\0\x09"s),
                          packet(0x36, field("a") + "\0\1"s), packet(0x30, ""), "\x30\xff\xff\xff\xff\x01"s}) {
    const auto now = copied(Version::v3_1_1, good + bad + good);
    CHECK(now.bytes == publish_v5("a", "", "x"));
  }
  CHECK(copied(Version::v5_0, publish_v5("a", "\x23\0\0"s, "alias 0") + publish_v5("a", "", "x")).bytes.empty());
}

TEST_CASE("client packets: CONNECT is what this codec itself accepts") {
  std::vector<std::uint8_t> bytes;
  append_connect(bytes, "tap-1", "", 60);
  auto parsed = parse_connect(bytes);
  REQUIRE(std::holds_alternative<Connect>(parsed));
  CHECK(std::get<Connect>(parsed).client_id == "tap-1");
  CHECK(std::get<Connect>(parsed).keep_alive == 60);
  CHECK(std::get<Connect>(parsed).clean_start);
  CHECK_FALSE(std::get<Connect>(parsed).has_username);
  bytes.clear();
  append_connect(bytes, "tap-1", "relay", 60);
  parsed = parse_connect(bytes);
  REQUIRE(std::holds_alternative<Connect>(parsed));
  CHECK(std::get<Connect>(parsed).has_username);
}

TEST_CASE("client packets: a CONNECT that takes a session up, and the DISCONNECT that leaves it or ends it") {
  std::vector<std::uint8_t> bytes;
  append_resuming_connect(bytes, "dev1", 30);
  const Text properties = "\x11\xff\xff\xff\xff\x21\0\x01"s;
  CHECK(text_of(bytes) == packet(0x10, field("MQTT") + "\x05\0\0\x1e\x08"s + properties + field("dev1")));
  const auto parsed = parse_connect(bytes);
  REQUIRE(std::holds_alternative<Connect>(parsed));
  CHECK_FALSE(std::get<Connect>(parsed).clean_start);
  bytes.clear();
  append_disconnect(bytes);
  CHECK(text_of(bytes) == "\xe0\0"s);
  bytes.clear();
  append_disconnect(bytes, 0);
  CHECK(text_of(bytes) == packet(0xe0, "\0\x05\x11\0\0\0\0"s));
}

TEST_CASE("CONNECT: a user name is added where it belongs, and nothing else changes") {
  for (const auto& [flags, payload] : {std::pair{"\x02"s, ""s}, {"\x0e"s, field("will/t") + field("gone")}}) {
    const Text head = field("MQTT") + "\x04"s, tail = "\0\x3c"s + field("dev1") + payload;
    const Text packet_bytes = packet(0x10, head + flags + tail);
    const auto parsed = parse_connect(bytes_of(packet_bytes));
    REQUIRE(std::holds_alternative<Connect>(parsed));
    const auto with = with_username(bytes_of(packet_bytes), std::get<Connect>(parsed), "alice");
    CHECK(text_of(with) == packet(0x10, head + static_cast<char>(flags[0] | 0x80) + tail + field("alice")));
  }
  // 5.0: a password without a user name, which goes before it; and a length that needs a second byte.
  const Text head = field("MQTT") + "\x05"s, tail = "\0\x3c\0"s + field("dev1");
  const Text packet_bytes = packet(0x10, head + "\x42"s + tail + field("secret"));
  const auto parsed = parse_connect(bytes_of(packet_bytes));
  REQUIRE(std::holds_alternative<Connect>(parsed));
  const Text name(200, 'n');
  CHECK(text_of(with_username(bytes_of(packet_bytes), std::get<Connect>(parsed), name)) ==
        packet(0x10, head + "\xc2"s + tail + field(name) + field("secret")));
}
