// Lines of JSON made from hostile text: always one line, always valid JSON.
#include "common/json_line.h"

#include <nlohmann/json.hpp>
#include <random>

#include "catch.h"

using common::JsonLine;
using nlohmann::json;
using namespace std::string_literals;

namespace {

std::string line_of(std::string_view value) {
  JsonLine line;
  line.add("key", value);
  return std::move(line).finish();
}

std::string value_of(const std::string& line) { return json::parse(line).at("key").get<std::string>(); }

}  // namespace

TEST_CASE("a JSON line has its fields in order and one newline", "[common][json_line]") {
  JsonLine line;
  line.add("text", "a").add("number", uint64_t{18446744073709551615u}).add("negative", -5);
  CHECK(std::move(line).finish() == "{\"text\":\"a\",\"number\":18446744073709551615,\"negative\":-5}\n");
  CHECK(JsonLine().finish() == "{}\n");
}

TEST_CASE("any text stays one line and comes back unchanged", "[common][json_line]") {
  std::string all;
  for (int c = 0; c < 0x80; c++) all += static_cast<char>(c);
  for (const std::string& text : {all, "\"\\\n\r\t\b\f\0"s, "\",\"result\":\"ok"s, "äöü €  𝄞"s, "\xf4\x8f\xbf\xbf"s}) {
    const std::string line = line_of(text);
    INFO(line);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(line.find('\0') == std::string::npos);
    CHECK(value_of(line) == text);
  }
}

TEST_CASE("what a terminal would obey, and what hides or reorders text, is escaped", "[common][json_line]") {
  for (const std::string& text : {"\u0080\u009b31m\u009f"s, "\u061c"s, "\u200b\u200e\u200f"s, "\u202a\u202e"s,
                                  "\u2066\u2069"s, "\u2028\u2029"s, "\ufeff"s, "\U000e0041"s, "\x1b[2J\x7f"s}) {
    const std::string line = line_of("a" + text + "z");
    INFO(line);
    for (const char c : line) CHECK((static_cast<unsigned char>(c) < 0x7f && (c >= ' ' || c == '\n')));
    CHECK(value_of(line) == "a" + text + "z");
  }
}

TEST_CASE("a long value is cut after escaping, and its length is said", "[common][json_line]") {
  std::string line;
  common::append_json_string(line, std::string(65535, '\x01'), 2048);
  CHECK(line.size() < 2100);
  CHECK(json::parse(line).get<std::string>().ends_with("\x01… (65535 bytes)"));
  line.clear();
  common::append_json_string(line, "short", 5);
  CHECK(line == "\"short\"");
}

TEST_CASE("bytes that are not UTF-8 become replacement characters", "[common][json_line]") {
  for (const std::string& bad :
       {"\xff"s, "\x80"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x80\x80"s, "\xed\xa0\x80"s, "\xf0\x80\x80\x80"s,
        "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xe2\x82"s, "\xf0\x9d\x84"s, "\xc3"s, "\xc3\x28"s}) {
    const std::string line = line_of("a" + bad + "z");
    INFO(line);
    const std::string value = value_of(line);  // throws if the line is not valid UTF-8
    CHECK(value.front() == 'a');
    CHECK(value.back() == 'z');
    CHECK(value.find("\xef\xbf\xbd") != std::string::npos);
  }
}

TEST_CASE("random bytes make valid JSON lines", "[common][json_line]") {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; round++) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = static_cast<char>(random());
    const std::string line = line_of(text);
    REQUIRE(std::count(line.begin(), line.end(), '\n') == 1);
    REQUIRE_NOTHROW(value_of(line));
  }
}

TEST_CASE("keys of a JSON line are escaped too", "[common][json_line]") {
  JsonLine line;
  line.add("a\"\n", 1);
  CHECK(json::parse(std::move(line).finish()).at("a\"\n") == 1);
}

TEST_CASE("hex and time have their documented form", "[common][json_line]") {
  const uint8_t bytes[] = {0, 0x0f, 0xa0, 0xff};
  CHECK(common::hex(bytes, sizeof bytes) == "000fa0ff");
  CHECK(common::hex(nullptr, 0).empty());
  const std::string now = common::utc_now();
  REQUIRE(now.size() == 27);
  CHECK((now[4] == '-' && now[10] == 'T' && now[19] == '.' && now.back() == 'Z'));
}
