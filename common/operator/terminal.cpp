#include "common/operator/terminal.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace common {
namespace {

struct Character {
  uint32_t code = 0;
  size_t length = 0;  // 0: the text begins with a malformed sequence
};

// The first character of a text that is not empty (RFC 3629 section 4: no overlong forms, no surrogates).
Character first_of(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  uint32_t code = lead & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return {};
  return {code, length};
}

bool is_control(uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

// Reorders, hides or breaks text without being seen (Unicode TR 36 section 2.5, CVE-2021-42574).
bool is_deceptive(uint32_t code) {
  struct Range {
    uint32_t first, last;
  };
  static constexpr Range kRanges[] = {{0xad, 0xad},     {0x61c, 0x61c},    {0x180e, 0x180e}, {0x200b, 0x200f},
                                      {0x2028, 0x202e}, {0x2060, 0x206f},  {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
                                      {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
  for (const Range& range : kRanges)
    if (code >= range.first && code <= range.last) return true;
  return false;
}

std::string formatted(const char* format, uint32_t value) {
  char text[16];
  snprintf(text, sizeof text, format, value);
  return text;
}

std::string escaped(uint32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  return formatted(code < 0x80 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
}

// Select Graphic Rendition (ECMA-48 section 8.3.117).
const char* sgr(Colour colour) {
  switch (colour) {
    case Colour::none: break;
    case Colour::red: return "31";
    case Colour::yellow: return "33";
    case Colour::green: return "32";
    case Colour::dim: return "2";
    case Colour::bold: return "1";
  }
  return "0";
}

std::string json_escaped(uint32_t code) {
  if (code < 0x10000) return formatted("\\u%04x", code);
  return formatted("\\u%04x", 0xd800 + ((code - 0x10000) >> 10)) + formatted("\\u%04x", 0xdc00 + (code & 0x3ff));
}

}  // namespace

std::string visible(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [code, length] = first_of(text);
    if (length == 0) out += formatted("\\x%02x", static_cast<uint8_t>(text[0]));
    else if (code == '\\') out += "\\\\";
    else if (is_control(code) || is_deceptive(code)) out += escaped(code);
    else out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string visible_json(std::string_view json) {
  std::string out;
  while (!json.empty()) {
    const auto [code, length] = first_of(json);
    if (length == 0) out += "\\ufffd";
    else if (is_control(code) || is_deceptive(code)) out += json_escaped(code);
    else out += json.substr(0, length);
    json.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

size_t width_of(std::string_view text) {
  size_t width = 0;
  for (const char c : text) width += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
  return width;
}

std::string padded(std::string_view text, size_t width) {
  const size_t has = width_of(text);
  return std::string(text) + std::string(has < width ? width - has : 0, ' ');
}

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string counted(uint64_t number, std::string_view noun) {
  return grouped(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

Screen Screen::of(int fd) {
  const bool terminal = isatty(fd) == 1;
  const char* no_colour = getenv("NO_COLOR");
  return {terminal, terminal && !(no_colour && *no_colour)};
}

std::string Screen::paint(Colour with, std::string_view text) const {
  if (!colour || with == Colour::none) return std::string(text);
  return std::string("\033[") + sgr(with) + "m" + std::string(text) + "\033[0m";
}

Progress::Progress(std::string what, uint64_t total)
    : what_(std::move(what)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) == 1),
      next_(std::chrono::steady_clock::now() + std::chrono::milliseconds(300)) {}

void Progress::at(uint64_t done) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  drawn_ = true;
  std::string line = "\r" + what_ + ": " + grouped(done);
  if (total_ > 0) {
    constexpr uint64_t kBar = 30;
    const uint64_t part = done < total_ ? done : total_;
    const auto filled = static_cast<size_t>(static_cast<double>(part) / static_cast<double>(total_) * kBar);
    line += " of " + grouped(total_) + " [" + std::string(filled, '#') + std::string(kBar - filled, ' ') + "]";
  }
  fprintf(stderr, "%s\033[K", line.c_str());
}

Progress::~Progress() {
  if (drawn_) fputs("\r\033[K", stderr);
}

}  // namespace common
