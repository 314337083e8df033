// Strings, topics and filters of MQTT sections 1.5.4 and 4.7, checked against every code point and a table of
// filters.
#include <string>

#include "relayd/mqtt/reader.h"
#include "relayd/mqtt/topic.h"
#include "tests/unit/catch.h"
#include "tests/unit/mqtt_bytes.h"

using namespace mqtt_test;
using mqtt::Version;

namespace {

std::string encoded(std::uint32_t point, unsigned length) {
  const auto tail = [point](unsigned shift) { return static_cast<char>(0x80 | (point >> shift & 0x3F)); };
  switch (length) {
    case 1: return {static_cast<char>(point)};
    case 2: return {static_cast<char>(0xC0 | point >> 6), tail(0)};
    case 3: return {static_cast<char>(0xE0 | point >> 12), tail(6), tail(0)};
    default: return {static_cast<char>(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
  }
}

unsigned shortest(std::uint32_t point) { return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4; }

}  // namespace

TEST_CASE("every code point except zero and the surrogates is text") {
  std::size_t wrong = 0;
  for (std::uint32_t point = 0; point < 0x110000; ++point) {
    const bool allowed = point != 0 && (point < 0xD800 || point > 0xDFFF);
    if (mqtt::is_mqtt_utf8(encoded(point, shortest(point))) != allowed) ++wrong;
  }
  for (std::uint32_t point = 0x110000; point < 0x200000; ++point) {
    if (mqtt::is_mqtt_utf8(encoded(point, 4))) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("overlong UTF-8 forms are not text") {
  for (std::uint32_t point = 0; point < 0x10000; ++point) {
    for (unsigned length = shortest(point) + 1; length <= 4; ++length)
      if (mqtt::is_mqtt_utf8(encoded(point, length))) FAIL(point);
  }
}

TEST_CASE("an incomplete UTF-8 sequence is not text") {
  for (const std::uint32_t point : {0xE9U, 0x20ACU, 0x1F600U}) {
    const std::string whole = encoded(point, shortest(point));
    CHECK(mqtt::is_mqtt_utf8("x" + whole + "x"));
    for (std::size_t keep = 1; keep < whole.size(); ++keep) {
      const std::string cut = whole.substr(0, keep);
      const ExactCopy copy(raw(cut));
      CHECK_FALSE(mqtt::is_mqtt_utf8({reinterpret_cast<const char*>(copy.span().data()), cut.size()}));
      CHECK_FALSE(mqtt::is_mqtt_utf8(cut + "x"));
    }
  }
  CHECK_FALSE(mqtt::is_mqtt_utf8("\x80"));
  CHECK(mqtt::is_mqtt_utf8(""));
}

TEST_CASE("a reader never reads past its bytes and keeps the first error") {
  const Octets bytes{0x00, 0x05, 'a', 'b'};
  const ExactCopy copy(bytes);
  mqtt::Reader reader(copy.span());
  CHECK(reader.utf8("not reached").empty());
  CHECK_FALSE(reader.ok());
  CHECK(reader.left() == 0);
  CHECK(reader.u32() == 0);
  reader.protocol_error("later");
  CHECK(reader.flaw().kind == mqtt::Flaw::Kind::malformed);
  CHECK(reader.flaw().why != "later");
}

TEST_CASE("a variable byte integer has at most four bytes") {
  for (const std::uint32_t value : {0U, 127U, 128U, 16383U, 16384U, 2097151U, 2097152U, mqtt::kMaxRemainingLength}) {
    const Octets bytes = variable_int(value);
    mqtt::Reader reader(bytes);
    CHECK(reader.variable_int() == value);
    CHECK(reader.ok());
    CHECK(reader.left() == 0);
  }
  const Octets five{0x80, 0x80, 0x80, 0x80, 0x01};
  mqtt::Reader reader(five);
  reader.variable_int();
  CHECK_FALSE(reader.ok());
}

TEST_CASE("a topic name has no wildcards") {
  for (const char* topic : {"a", "/", "a/b", "$SYS/x", " ", "a//b"}) CHECK(mqtt::is_topic_name(topic));
  for (const char* topic : {"", "+", "#", "a/+", "a+b", "a/#"}) CHECK_FALSE(mqtt::is_topic_name(topic));
}

TEST_CASE("a topic filter has wildcards only where MQTT allows them") {
  for (const char* filter : {"#", "+", "a", "/", "a/#", "+/+", "+/a/#", "a/+/b", "//", "$SYS/#", "/+"}) {
    CAPTURE(filter);
    CHECK(mqtt::is_topic_filter(filter, Version::v3_1_1));
    CHECK(mqtt::is_topic_filter(filter, Version::v5_0));
  }
  for (const char* filter : {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+", "##", "++", "a/#b"}) {
    CAPTURE(filter);
    CHECK_FALSE(mqtt::is_topic_filter(filter, Version::v3_1_1));
    CHECK_FALSE(mqtt::is_topic_filter(filter, Version::v5_0));
  }
}

TEST_CASE("shared subscriptions are accepted in MQTT 5.0 only") {
  for (const char* filter : {"$share/g/a", "$share/g/#", "$share/g//", "$share/g/+/a"}) {
    CHECK(mqtt::is_topic_filter(filter, Version::v5_0));
    CHECK(mqtt::is_shared_filter(filter));
  }
  for (const char* filter :
       {"$share/", "$share/g", "$share//a", "$share/g/", "$share/g+/a", "$share/#/a", "$share/g/a#"}) {
    CAPTURE(filter);
    CHECK_FALSE(mqtt::is_topic_filter(filter, Version::v5_0));
  }
  CHECK(mqtt::is_topic_filter("$share/g", Version::v3_1_1));
  CHECK_FALSE(mqtt::is_shared_filter("$shared/g/a"));
}
