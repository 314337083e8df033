// The terminal of `mqtt-relay top`, with ncurses. While one of these exists, the screen and the keys are its own;
// however it ends, the terminal is left as it was: its modes, its cursor, its other screen.
//
// ncurses has one terminal a process. This file is the only one that knows ncurses.
#pragma once

#include <memory>
#include <optional>

#include "relayd/admin/top_layout.h"

namespace relayd::admin {

class TopTerminal {
 public:
  // On standard input and output. Throws CommandFailed with the remedy if TERM is unknown or can't place a cursor.
  // `colour`: as common::Screen::colour.
  explicit TopTerminal(bool colour);
  ~TopTerminal();
  TopTerminal(const TopTerminal&) = delete;
  TopTerminal& operator=(const TopTerminal&) = delete;

  int width() const;
  int height() const;
  void paint(const Picture& picture);
  void repaint();  // the next paint() draws every character anew
  // The next key that was pressed, if it is an ASCII character; others are skipped. nullopt: there is none.
  std::optional<char> key();
  void resized();  // SIGWINCH came
  // Gives the terminal back for a while, and takes it again.
  void leave();
  void come_back();

 private:
  struct Curses;
  const std::unique_ptr<Curses> curses_;
};

}  // namespace relayd::admin
