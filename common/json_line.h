// One line of JSON, built field by field without a document in memory. The log and keyd's audit use it.
//
// Strings may hold any bytes, because client ids come from the network. Quotes, backslashes and whatever is unsafe to
// show (characters.h) are escaped, and bytes that are not UTF-8 become U+FFFD. The result is therefore always one line
// of valid JSON that a terminal only shows.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace common {

class JsonLine {
 public:
  JsonLine() : text_("{") {}

  // If the value has more than `most` bytes once escaped, it is cut, and its whole length follows.
  JsonLine& add(std::string_view key, std::string_view value, size_t most = std::string_view::npos);
  JsonLine& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonLine& add(std::string_view key, T value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value);
    return add_raw(key, {digits, static_cast<size_t>(end.ptr - digits)});
  }

  // Closes the object; the text ends with a newline. Nothing can be added afterwards.
  std::string finish() &&;

 private:
  JsonLine& add_raw(std::string_view key, std::string_view value);
  void append_key(std::string_view key);
  std::string text_;
};

// Appends `text` to `out` with \u escapes for whatever is unsafe to show, U+FFFD for bytes that are not UTF-8, and a
// backslash before the characters of `also_escaped`. If that takes more than `most` bytes, it is cut, and the length of
// `text` follows.
void append_shown(std::string& out, std::string_view text, size_t most, std::string_view also_escaped = {});
// The same as a quoted JSON string.
void append_json_string(std::string& out, std::string_view text, size_t most = std::string_view::npos);

// "2026-11-23T16:20:00.123456Z", UTC (RFC 3339).
std::string utc_now();

// Lower-case hexadecimal.
std::string hex(const void* data, size_t size);

}  // namespace common
