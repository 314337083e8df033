// What goes to an operator's screen: made harmless, then aligned and coloured.
//
// Client ids, file names and damaged audit files are untrusted bytes. They reach a terminal only through visible(): an
// escape sequence could retitle the window, hide a line or paste a command (CWE-150).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace common {

// `text` with everything escaped that is not plainly printable: control characters, C1 included, as \n, \x1b, \u009b;
// characters that reorder or hide text (bidi, zero width, line separators) as \u202e; bytes that are not UTF-8 as \xff;
// a backslash as two. A terminal does nothing with the result but show it.
std::string visible(std::string_view text);
// JSON text in which the same characters are \u escapes: the same values, safe to print.
std::string visible_json(std::string_view json);

// The number of characters in a text that visible() returned.
size_t width_of(std::string_view text);
std::string padded(std::string_view text, size_t width);
// 1234567 → "1,234,567"
std::string grouped(uint64_t number);
// 1, "line" → "1 line"; 2, "line" → "2 lines"
std::string counted(uint64_t number, std::string_view noun);

enum class Colour { none, red, yellow, green, dim, bold };

// Where output goes. Colour only on a terminal, unless NO_COLOR is set (no-color.org).
struct Screen {
  bool terminal = false, colour = false;
  static Screen of(int fd);
  std::string paint(Colour with, std::string_view text) const;
};

// The progress of a long task, on standard error if that is a terminal; erased at the end. Drawn at most ten times a
// second, so callers may report every step.
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
