#include "common/json_line.h"

#include <time.h>

#include <cstdint>
#include <cstdio>

#include "common/characters.h"

namespace common {

void append_shown(std::string& out, std::string_view text, size_t most, std::string_view also_escaped) {
  const size_t begin = out.size(), all = text.size();
  while (!text.empty() && out.size() - begin < most) {
    const auto [code, length] = first_character(text);
    if (length == 0) out += "\\ufffd";
    else if (is_unsafe_to_show(code)) out += json_escape(code);
    else if (also_escaped.find(text[0]) != also_escaped.npos) out.append(1, '\\').append(1, text[0]);
    else out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (!text.empty()) out += "… (" + std::to_string(all) + " bytes)";
}

void append_json_string(std::string& out, std::string_view text, size_t most) {
  out += '"';
  append_shown(out, text, most, "\"\\");
  out += '"';
}

void JsonLine::append_key(std::string_view key) {
  if (text_.size() > 1) text_ += ',';
  append_json_string(text_, key);
  text_ += ':';
}

JsonLine& JsonLine::add(std::string_view key, std::string_view value, size_t most) {
  append_key(key);
  append_json_string(text_, value, most);
  return *this;
}

JsonLine& JsonLine::add_raw(std::string_view key, std::string_view value) {
  append_key(key);
  text_ += value;
  return *this;
}

std::string JsonLine::finish() && {
  text_ += "}\n";
  return std::move(text_);
}

std::string utc_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[64];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text + length, sizeof text - length, ".%06ldZ", now.tv_nsec / 1000);
  return text;
}

std::string hex(const void* data, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto* bytes = static_cast<const uint8_t*>(data);
  std::string text(size * 2, '0');
  for (size_t i = 0; i < size; i++) {
    text[2 * i] = kDigits[bytes[i] >> 4];
    text[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return text;
}

}  // namespace common
