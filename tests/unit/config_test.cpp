// Reading a configuration: every error names the file, the path in it, what was found and what is allowed.
#include "common/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "catch.h"

using common::ConfigError;
using common::Section;
using namespace std::chrono_literals;

namespace {

std::string error_of(const std::function<void()>& read) {
  try {
    read();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

std::string error_in(std::string_view text, const std::function<void(Section&)>& read) {
  return error_of([&] {
    Section section = Section::parse(text, "x.json");
    read(section);
    section.finish();
  });
}

void check_contains(const std::string& text, std::initializer_list<const char*> parts) {
  INFO(text);
  for (const char* part : parts) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

void nothing(Section&) {}

}  // namespace

TEST_CASE("a configuration returns the values it holds", "[common][config]") {
  Section section = Section::parse(R"({
    // a comment
    "text": "a", /* another */ "number": -3, "flag": true, "wait": "1500ms", "size": "64KB", "level": "info",
    "list": ["a", "b"], "inner": { "text": "b" } })",
                                   "x.json");
  CHECK(section.string("text") == "a");
  CHECK(section.required_string("text", "") == "a");
  CHECK(section.integer("number", 0, -10, 10) == -3);
  CHECK(section.boolean("flag", false));
  CHECK(section.duration("wait", "1s") == 1500ms);
  CHECK(section.size("size", "1MB") == 65536);
  CHECK(section.one_of("level", "debug", {"info", "debug"}) == "info");
  CHECK(section.strings("list", {}) == std::vector<std::string>{"a", "b"});
  auto inner = section.section("inner");
  REQUIRE(inner);
  CHECK(inner->string("text") == "b");
  CHECK(section.has("text"));
  CHECK_FALSE(section.has("other"));
  section.finish();
  inner->finish();
}

TEST_CASE("a missing key has its default", "[common][config]") {
  Section section = Section::parse("{}", "x.json");
  CHECK_FALSE(section.string("a"));
  CHECK(section.string("a", "d") == "d");
  CHECK(section.integer("b", 7, 0, 10) == 7);
  CHECK(section.boolean("c", true));
  CHECK(section.duration("d", "15s") == 15s);
  CHECK(section.size("e", "1MB") == 1048576);
  CHECK(section.one_of("f", "x", {"x"}) == "x");
  CHECK(section.strings("g", {"z"}) == std::vector<std::string>{"z"});
  CHECK_FALSE(section.section("h"));
  section.finish();
}

TEST_CASE("a wrong value is reported with its file and path and the allowed values", "[common][config]") {
  check_contains(error_in(R"({"a": 1})", [](Section& s) { s.string("a"); }),
                 {"x.json: line 1: a: ", "found 1", "number", "a string"});
  check_contains(error_in(R"({"a": "x\u0000y"})", [](Section& s) { s.string("a"); }), {"x.json: line 1: a: ", "NUL"});
  check_contains(error_in(R"({"a": null})", [](Section& s) { s.string("a"); }), {"x.json: line 1: a: ", "null"});
  check_contains(error_in("{}", [](Section& s) { s.required_string("a", "the host"); }),
                 {"x.json: a: missing", "the host"});
  check_contains(error_in(R"({"a": ""})", [](Section& s) { s.required_string("a", "the host"); }),
                 {"x.json: line 1: a: empty", "the host"});
  for (const char* value : {"11", "-1", "1.5", "1e3", "\"5\"", "true", "9223372036854775808", "18446744073709551615"})
    check_contains(error_in("{\"a\": " + std::string(value) + "}", [](Section& s) { s.integer("a", 0, 0, 10); }),
                   {"x.json: line 1: a: ", "an integer from 0 to 10"});
  check_contains(error_in(R"({"a": "yes"})", [](Section& s) { s.boolean("a", true); }),
                 {"x.json: line 1: a: ", "\"yes\"", "true or false"});
  check_contains(error_in(R"({"a": "b"})",
                          [](Section& s) {
                            s.one_of("a", "x", {"x", "y"});
                          }),
                 {"x.json: line 1: a: ", "\"b\"", "x, y"});
  check_contains(error_in(R"({"a": "b"})", [](Section& s) { s.strings("a", {}); }),
                 {"x.json: line 1: a: ", "a list of strings"});
  check_contains(error_in(R"({"a": ["b", 1]})", [](Section& s) { s.strings("a", {}); }),
                 {"x.json: line 1: a: ", "a list of strings"});
  check_contains(error_in(R"({"a": []})", [](Section& s) { s.section("a"); }), {"x.json: line 1: a: ", "an object"});
  check_contains(error_in(R"({"a": {"b": {"c": 1}}})", [](Section& s) { s.section("a")->section("b")->string("c"); }),
                 {"x.json: line 1: a.b.c: "});
}

TEST_CASE("durations and sizes without a unit are refused", "[common][config]") {
  CHECK(common::parse_duration("500ms") == 500ms);
  CHECK(common::parse_duration("15s") == 15s);
  CHECK(common::parse_duration("5m") == 5min);
  CHECK(common::parse_duration("2h") == 2h);
  CHECK(common::parse_duration("1d") == 24h);
  CHECK(common::parse_size("1B") == 1);
  CHECK(common::parse_size("64KB") == 65536);
  CHECK(common::parse_size("256MB") == 268435456);
  CHECK(common::parse_size("2GB") == 2147483648);
  for (const char* text : {"", "s", "15", "-1s", "+1s", " 1s", "1s ", "1 s", "1S", "1.5s", "1sec", "0x1s",
                           "99999999999999999999s", "9007199254740993d", "infinity"})
    CHECK_FALSE(common::parse_duration(text));
  for (const char* text :
       {"", "MB", "1", "-1MB", "1mb", "1 MB", "1.5MB", "1TB", "99999999999999999999B", "9007199254740993GB"})
    CHECK_FALSE(common::parse_size(text));
  CHECK(common::parse_rate("1000/s") == common::Rate{1000, 1s});
  CHECK(common::parse_rate("60/m") == common::Rate{60, 1min});
  CHECK(common::parse_rate("infinity") == common::Rate{});
  for (const char* text : {"", "/s", "5", "5/", "5/ms", "0/s", "-5/s", "5/2s", "5 /s", "1000001/s", "infinity/s"})
    CHECK_FALSE(common::parse_rate(text));
  for (const char* value : {"\"0s\"", "15", "\"15\"", "true"})
    check_contains(error_in("{\"a\": " + std::string(value) + "}", [](Section& s) { s.duration("a", "1s"); }),
                   {"x.json: line 1: a: ", "\"15s\""});
  for (const char* value : {"\"0MB\"", "15", "\"15\""})
    check_contains(error_in("{\"a\": " + std::string(value) + "}", [](Section& s) { s.size("a", "1MB"); }),
                   {"x.json: line 1: a: ", "\"1MB\""});
}

TEST_CASE("an unknown key is an error that lists the known keys", "[common][config]") {
  check_contains(error_in(R"({"remote_prot": 1})", [](Section& s) { s.string("remote_port"); }),
                 {"x.json: line 1: remote_prot: unknown key; did you mean \"remote_port\"?", "remote_port"});
  Section section = Section::parse(R"({"a": {"b": 1}})", "x.json");
  auto inner = section.section("a");
  inner->string("c");
  check_contains(error_of([&] { inner->finish(); }), {"x.json: line 1: a.b: unknown key", "c"});
  section.finish();
}

TEST_CASE("a repeated key is an error", "[common][config]") {
  check_contains(error_in(R"({"a": 1, "a": 2})", nothing), {"x.json: ", "\"a\" appears twice"});
  check_contains(error_in(R"({"o": {"a": 1, "b": {}, "a": 2}})", nothing), {"\"a\" appears twice"});
  check_contains(error_in(R"({"o": {"a": 1}, "p": {"a": 1}, "a": [{"a": 1}, {"a": 2}]})",
                          [](Section& s) { s.section("o"), s.section("p"), s.has("a"); }),
                 {"x.json: line 1: a: unknown key"});  // the same name in several objects is fine
}

TEST_CASE("a number too large for any setting is reported with its position", "[common][config]") {
  const std::string nines(400, '9');
  for (const std::string& number : {std::string("1e400"), nines}) {
    const std::string error = error_in("{\n  \"workers\": " + number + "\n}", nothing);
    check_contains(error, {"x.json: line 2, column 14: the number ", " is too large"});
    CHECK(error.size() < 200);
  }
}

TEST_CASE("a long value is shortened in its error", "[common][config]") {
  const std::string error =
      error_in("{\"a\": [\"" + std::string(1000, 'x') + "\"]}", [](Section& s) { s.string("a"); });
  CHECK(error.size() < 200);
}

TEST_CASE("the error for an unreadable configuration file says why", "[common][config]") {
  char name[] = "/tmp/config-test.XXXXXX";
  REQUIRE(mkdtemp(name));
  const std::string dir = name, file = dir + "/x.json";
  check_contains(error_of([&] { Section::load(file, "NONE_"); }), {file.c_str(), "No such file"});
  check_contains(error_of([&] { Section::load(dir, "NONE_"); }), {dir.c_str(), "not a regular file"});
  REQUIRE(mkfifo((dir + "/fifo").c_str(), 0600) == 0);
  check_contains(error_of([&] { Section::load(dir + "/fifo", "NONE_"); }), {"fifo", "not a regular file"});
  std::ofstream(file) << "{}" << std::string(1024 * 1024, ' ');
  check_contains(error_of([&] { Section::load(file, "NONE_"); }), {file.c_str(), "larger than"});
  std::ofstream(file) << R"({"a": 1})";
  check_contains(error_of([&] { Section::load(file, "NONE_").finish(); }), {file.c_str(), ": line 1: a: unknown key"});
  CHECK(common::read_file(file, 8) == R"({"a": 1})");
  CHECK_THROWS_AS(common::read_file(file, 7), ConfigError);
  std::filesystem::remove_all(dir);
}
