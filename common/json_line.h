// One line of JSON, built field by field without a document in memory: the log and keyd's audit are made of it.
//
// Strings may hold any bytes (client ids come from the network): control characters, quotes and backslashes are
// escaped as RFC 8259 section 7 demands, bytes that are not UTF-8 become U+FFFD, so that a line is always one line and
// valid JSON.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace common {

class JsonLine {
 public:
  JsonLine() : text_("{") {}

  JsonLine& add(std::string_view key, std::string_view value);
  JsonLine& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
  JsonLine& add(std::string_view key, bool value);
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonLine& add(std::string_view key, T value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value);
    return add_raw(key, {digits, static_cast<size_t>(end.ptr - digits)});
  }

  // Closes the object; the text ends with a newline. The line can't be added to afterwards.
  std::string finish() &&;

 private:
  JsonLine& add_raw(std::string_view key, std::string_view value);
  void append_key(std::string_view key);
  std::string text_;
};

// Appends `text` to `out` as a quoted JSON string.
void append_json_string(std::string& out, std::string_view text);

// "2026-11-23T16:20:00.123456Z", UTC (RFC 3339).
std::string utc_now();

// Lower-case hexadecimal.
std::string hex(const void* data, size_t size);

}  // namespace common
