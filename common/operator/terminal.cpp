#include "common/operator/terminal.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "common/characters.h"

namespace common {
namespace {

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

}  // namespace

std::string visible(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [code, length] = first_character(text);
    if (length == 0) out += formatted("\\x%02x", static_cast<uint8_t>(text[0]));
    else if (code == '\\') out += "\\\\";
    else if (is_unsafe_to_show(code)) out += escaped(code);
    else out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string visible_json(std::string_view json) {
  std::string out;
  while (!json.empty()) {
    const auto [code, length] = first_character(json);
    if (length == 0) out += "\\ufffd";
    else if (is_unsafe_to_show(code)) out += json_escape(code);
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
