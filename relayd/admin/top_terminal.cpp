#include "relayd/admin/top_terminal.h"

#include <langinfo.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <string>

#include "common/characters.h"
#include "common/operator/command_failed.h"

#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>
#undef columns  // macros of term.h
#undef lines

namespace relayd::admin {
namespace {

constexpr int kEscapeMs = 25;  // how long ESC may be the beginning of a key; ncurses' own 1,000 are for slow lines

[[noreturn]] void fail(const std::string& what) {
  throw common::CommandFailed(what + "; or use mqtt-relay status and mqtt-relay sessions, which need no such terminal",
                              common::kExitFailed);
}

// newterm() explains nothing.
void check_terminal() {
  const char* term = getenv("TERM");
  if (!term || !*term) fail("TERM is not set; set it to your terminal's type, such as xterm-256color");
  int error = 0;
  const std::string found = std::string("found TERM=") + term;
  if (setupterm(nullptr, STDOUT_FILENO, &error) != OK)
    fail(found + ", which terminfo doesn't know here; most terminals do what TERM=xterm-256color says");
  const char* cup = tigetstr("cup");
  if (!cup || cup == reinterpret_cast<const char*>(-1)) fail(found + ", a terminal that can't place its cursor");
}

// newterm() takes SIGTSTP for itself if nobody else has, and ignores it while it writes: a ^Z would be lost then. It is
// our caller's to obey.
SCREEN* new_terminal() {
  struct sigaction ours {
  }, before{};
  ours.sa_handler = [](int) {};
  sigaction(SIGTSTP, &ours, &before);
  SCREEN* screen = newterm(nullptr, stdout, stdin);
  sigaction(SIGTSTP, &before, nullptr);
  return screen;
}

// What is shown in place of a character if the locale is not UTF-8.
wchar_t in_ascii(uint32_t code) {
  switch (code) {
    case U'→': return '>';
    case U'↑': return '^';
    case U'↓': return 'v';
    case U'–': return '-';
    case U'…': return '~';
    case U'µ': return 'u';
    default: return code < 0x80 ? static_cast<wchar_t>(code) : '?';
  }
}

// As much of `text`, which is UTF-8, as fits in `columns`.
std::wstring fitting(std::string_view text, int columns, bool utf8) {
  std::wstring fits;
  while (!text.empty()) {
    const auto [code, length] = common::first_character(text);
    text.remove_prefix(length == 0 ? 1 : length);
    const wchar_t wide = length == 0 ? L'?' : utf8 ? static_cast<wchar_t>(code) : in_ascii(code);
    const int width = wcwidth(wide);
    if ((columns -= width < 0 ? 1 : width) < 0) break;
    fits += width < 0 ? L'?' : wide;
  }
  return fits;
}

}  // namespace

struct TopTerminal::Curses {
  SCREEN* screen = nullptr;
  bool utf8 = false, colour = false;

  attr_t attributes(Look look) const {
    const auto coloured = [&](short pair, attr_t otherwise) -> attr_t {
      return colour ? static_cast<attr_t>(COLOR_PAIR(pair)) : otherwise;
    };
    switch (look) {
      case Look::plain: return A_NORMAL;
      case Look::bold: return A_BOLD;
      case Look::dim: return A_DIM;
      case Look::good: return coloured(COLOR_GREEN, A_NORMAL);
      case Look::warn: return coloured(COLOR_YELLOW, A_BOLD);
      case Look::bad: return coloured(COLOR_RED, A_BOLD) | A_BOLD;
      case Look::bar: return A_REVERSE;
    }
    return A_NORMAL;
  }
};

TopTerminal::TopTerminal(bool colour) : curses_(std::make_unique<Curses>()) {
  check_terminal();
  setlocale(LC_CTYPE, "");
  curses_->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  curses_->screen = new_terminal();
  if (!curses_->screen) fail("the terminal can't be used");
  set_escdelay(kEscapeMs);
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, true);
  nodelay(stdscr, true);
  curs_set(0);
  if (!colour || !has_colors() || start_color() != OK) return;
  use_default_colors();
  for (const short one : std::array<short, 3>{COLOR_RED, COLOR_GREEN, COLOR_YELLOW}) init_pair(one, one, -1);
  curses_->colour = true;
}

TopTerminal::~TopTerminal() {
  endwin();
  delscreen(curses_->screen);
}

int TopTerminal::width() const { return getmaxx(stdscr); }
int TopTerminal::height() const { return getmaxy(stdscr); }

void TopTerminal::paint(const Picture& picture) {
  werase(stdscr);
  for (size_t y = 0; y < picture.size(); y++)
    for (const Piece& piece : picture[y]) {
      const attr_t attributes = curses_->attributes(piece.look);
      if (piece.look == Look::bar) mvwhline(stdscr, static_cast<int>(y), piece.x, ' ' | A_REVERSE, width() - piece.x);
      wattrset(stdscr, static_cast<int>(attributes));
      mvwaddwstr(stdscr, static_cast<int>(y), piece.x, fitting(piece.text, piece.columns, curses_->utf8).c_str());
    }
  wattrset(stdscr, A_NORMAL);
  wrefresh(stdscr);
}

void TopTerminal::repaint() { clearok(stdscr, true); }

std::optional<char> TopTerminal::key() {
  for (int key; (key = wgetch(stdscr)) != ERR;)
    if (key > 0 && key < 0x80) return static_cast<char>(key);
  return std::nullopt;
}

void TopTerminal::resized() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
  resizeterm(size.ws_row, size.ws_col);
  repaint();
}

void TopTerminal::leave() { endwin(); }

void TopTerminal::come_back() {
  reset_prog_mode();
  resized();
  wrefresh(stdscr);
}

}  // namespace relayd::admin
