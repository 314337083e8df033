// What is wrong with a text that is no configuration: the line, the column, and what to write instead.
#include <string>

#include "catch.h"
#include "common/config.h"
#include "common/config_text.h"

namespace {

struct Wrong {
  std::string text;
  const char* error;  // after "x.json: "
};

std::string error_of(const std::string& text) {
  try {
    common::Section::parse(text, "x.json");
  } catch (const common::ConfigError& error) {
    return error.what();
  }
  return "no error";
}

void check(const std::vector<Wrong>& table) {
  for (const Wrong& one : table) {
    INFO(one.text.substr(0, 100));
    CHECK(error_of(one.text) == std::string("x.json: ") + one.error);
  }
}

constexpr char kNumber[] =
    ", which is not a JSON number: decimal, without + or 0 in front, with digits on both sides of a point; write such "
    "a "
    "number, or a string in double quotes";

}  // namespace

TEST_CASE("a file that is not UTF-8 text is refused with its first wrong byte", "[common][config]") {
  check(
      {{"", "line 1, column 1: the file is empty; expected an object { … }"},
       {" \n// only a comment\n", "line 3, column 1: the file is empty; expected an object { … }"},
       {"\xEF\xBB\xBF{}", "line 1, column 1: found a byte order mark (EF BB BF); save the file as UTF-8 without one"},
       {std::string("\xFF\xFE{\0", 4), "line 1, column 1: found the byte order mark of UTF-16; save the file as UTF-8"},
       {std::string("{\n\"a\0\": 1}", 10), "line 2, column 3: found a NUL byte; save the file as text in UTF-8"},
       {"{ // caf\xE9\n}", "line 1, column 9: found the byte 0xE9, which is not UTF-8; save the file as UTF-8"},
       {"{ \"é\": \"\xC0\xAF\" }",
        "line 1, column 9: found the byte 0xC0, which is not UTF-8; save the file as UTF-8"}});
}

TEST_CASE("each mistake of JSON has its line, its column and a remedy", "[common][config]") {
  check({
      {"{\n \"a\": 1,\n}", "line 2, column 8: found a comma before the closing }; remove the comma"},
      {"{ \"a\": [1, 2, /* x */ ] }", "line 1, column 13: found a comma before the closing ]; remove the comma"},
      {"{ \"a\": 1,, \"b\": 2 }", "line 1, column 10: found a second comma; remove it"},
      {"{ , }", "line 1, column 3: found a comma without a value before it; expected a key in double quotes, or }"},
      {"{ \"a\": 1\n  \"b\": 2 }", "line 2, column 3: found \"b\"; a comma is missing before it"},
      {"{ \"a\": [1 2] }", "line 1, column 11: found 2; a comma is missing before it"},
      {"{ \"a\": [{} {}] }", "line 1, column 12: found {; a comma is missing before it"},
      {"{ \"a\": 1; \"b\": 2 }", "line 1, column 9: found ;; expected a comma, or }"},
      {"{ \"a\" 1 }", "line 1, column 7: found 1; expected a : after the key"},
      {"{ \"a\" \"b\" }", "line 1, column 7: found a string; expected a : after the key"},
      {"{ \"a\" = 1 }", "line 1, column 7: found =; write : between a key and its value"},
      {"{ a: 1 }", "line 1, column 3: found a; write the key in double quotes: \"a\""},
      {"{ 1: 1 }", "line 1, column 3: found 1; expected a key in double quotes, or }"},
      {"{ 'a': 1 }", "line 1, column 3: found a single quote; write strings and keys in double quotes"},
      {"{ \"a\": 'b' }", "line 1, column 8: found a single quote; write strings and keys in double quotes"},
      {"{ \"a\": “b” }", "line 1, column 8: found the typographic quote “; write \", the straight double quote"},
      {"{ \"a\": True }", "line 1, column 8: found True; write true, in small letters"},
      {"{ \"a\": yes }",
       "line 1, column 8: found yes; write a string in double quotes: \"yes\"; without quotes are true, false, null "
       "and "
       "numbers"},
      {"{ \"a\": 15s }", "line 1, column 8: found 15s; write a value with a unit in double quotes: \"15s\""},
      {"{ \"a\": }",
       "line 1, column 8: found }, but the key before it has no value; expected a value: true, false, null, a number, "
       "a "
       "string in double quotes, [ or {"},
      {"{ \"a\" }", "line 1, column 7: found }, but the key before it has no value; expected a : after the key"},
      {"{ \"a\": [1} ", "line 1, column 10: found }, but the [ in line 1 is not closed; close it with ]"},
      {"{ \"a\": {\n \"b\": 1 }\n", "line 3, column 1: the file ends, but the { in line 1 is not closed; add }"},
      {"{} {}", "line 1, column 4: found { after the end of the object; a file holds one object: remove the rest"},
      {"{}}", "line 1, column 3: found } after the end of the object; a file holds one object: remove the rest"},
  });
}

TEST_CASE("a number that JSON does not allow is shown whole", "[common][config]") {
  for (const char* number : {"08883", "+1", ".5", "1.", "-", "1e"})
    CHECK(error_of("{ \"a\": " + std::string(number) + " }") ==
          "x.json: line 1, column 8: found " + std::string(number) + kNumber);
}

TEST_CASE("comments are those of C and C++, and nothing else", "[common][config]") {
  CHECK(error_of("// a\n{ /* b */ \"x\": 1 // c\n}// d") == "no error");
  check({{"{\n# no\n}", "line 2, column 1: found #, which begins no comment here; write // or /* … */"},
         {"{ / x }", "line 1, column 3: found /; a comment begins with // or /*"},
         {"{\n /* x }", "line 2, column 2: the comment that begins here has no end; close it with */"}});
}

TEST_CASE("a string's wrong character is shown with how to write it", "[common][config]") {
  check(
      {{"{ \"a\": \"x\ty\" }", "line 1, column 10: found a tab in a string; write \\t"},
       {"{ \"a\": \"x\n\" }",
        "line 1, column 8: the string that begins here is not closed in its line; close it with \", or write \\n for a "
        "line break"},
       {"{ \"a\": \"x }", "line 1, column 8: the string that begins here is not closed; add \""},
       {"{ \"a\": \"\x01\" }", "line 1, column 9: found the control character 0x01 in a string; write \\u0001"},
       {"{ \"a\": \"C:\\path\" }",
        "line 1, column 11: found a backslash before p, which is no escape in JSON; write \\\\ for a backslash"},
       {"{ \"a\": \"\\u12\" }", "line 1, column 9: found \\u without four hexadecimal digits after it, as in \\u00e9"},
       {"{ \"a\": \"\\ud800\" }",
        "line 1, column 9: found \\ud800, which is half of a character; write the character itself"}});
}

TEST_CASE("a document that is no object, or too deep, is refused where it begins to be", "[common][config]") {
  check({{"[]", "line 1, column 1: found [] (array); expected an object { … }"},
         {"\n 17", "line 2, column 2: found 17 (number); expected an object { … }"},
         {" \"x\"", "line 1, column 2: found \"x\" (string); expected an object { … }"},
         {"{\"a\":" + std::string(100'000, '['),
          "line 1, column 37: objects and lists are nested more than 32 deep; no setting is that deep"}});
  std::string deepest = std::string(common::kMaxConfigDepth - 1, '[') + std::string(common::kMaxConfigDepth - 1, ']');
  CHECK(error_of("{\"a\":" + deepest + "}") == "no error");
}

TEST_CASE("a key that appears twice is an error that names both lines", "[common][config]") {
  check({{"{ \"a\": 1,\n\n  \"a\": 2 }",
          "line 3, column 3: the key \"a\" appears twice in one object, first in line 1; keep one of them"},
         {R"({ "q\"": 1, "q\"": 2 })",
          "line 1, column 13: the key \"q\"\" appears twice in one object, first in line 1; keep one of them"}});
}

TEST_CASE("the line of each value is known by its path", "[common][config]") {
  const auto text =
      common::parse_config_text("{\n\"a\": { \"b\":\n 1,\n\"c\": [ 1,\n{ \"d\": \"\\\"\" } ] } }", "x.json");
  CHECK(text.lines == std::map<std::string, size_t, std::less<>>{
                          {"a", 2}, {"a.b", 2}, {"a.c", 4}, {"a.c[0]", 4}, {"a.c[1]", 5}, {"a.c[1].d", 5}});
}
