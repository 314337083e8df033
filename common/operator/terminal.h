// What goes to an operator's screen: made harmless, then aligned and coloured.
//
// Client ids, file names and damaged audit files are other people's bytes. Nothing of them reaches a terminal but
// through visible(): an escape sequence could retitle the window, hide a line or paste a command (CWE-150).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace common {

// `text` with everything escaped that is not plainly printable: control characters, C1 included, as \n, \x1b, \u009b;
// characters that reorder or hide text (bidi, zero width, line separators) as \u202e; bytes that are not UTF-8 as
// \xff; a backslash as two. What stays has no effect on a terminal but to be seen.
std::string visible(std::string_view text);
// JSON text in which the same characters are \u escapes: the same values, harmless to look at.
std::string visible_json(std::string_view json);

// Characters of a text that visible() made.
size_t width_of(std::string_view text);
std::string padded(std::string_view text, size_t width);
// At most `width` characters; what is cut ends in "…".
std::string shortened(std::string_view text, size_t width);
// 1234567 → "1,234,567"
std::string grouped(uint64_t number);
// 1, "line" → "1 line"; 2, "line" → "2 lines"
std::string counted(uint64_t number, std::string_view noun);

enum class Colour { none, red, yellow, green, dim, bold };

// Where output goes. Colour on a terminal only, and not there if NO_COLOR is set (no-color.org).
struct Screen {
  bool terminal = false, colour = false;
  static Screen of(int fd);
  std::string paint(Colour with, std::string_view text) const;
};

// How far something long has come, on standard error if that is a terminal; gone when it ends. Ten times a second at
// most, so callers need not count.
class Progress {
 public:
  Progress(std::string what, uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(uint64_t done);
  void expect(uint64_t total) { total_ = total; }
  bool shown() const { return terminal_; }

 private:
  std::string what_;
  uint64_t total_;
  bool terminal_, drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace common
