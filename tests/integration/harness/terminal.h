// A terminal as an operator has it: a pseudo-terminal, a program in it, and libvterm, which interprets what the program
// writes, so that a test sees the screen.
#pragma once

#include <termios.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/harness/process.h"

namespace harness {

struct TerminalOptions {
  int rows = 24, columns = 80;
  std::string type = "xterm-256color";  // TERM
  std::string locale = "C.UTF-8";
};

class Terminal {
 public:
  // Starts the program in it, as the leader of a session of its own.
  explicit Terminal(ProcessOptions program, const TerminalOptions& options = {});
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  Process& program() { return *program_; }
  void type(std::string_view keys);
  void resize(int rows, int columns);
  void hang_up();  // as a broken ssh connection does; nothing can be read or typed then

  // The screen as text: a line for each row, without spaces at their ends.
  std::string screen() const;
  std::vector<std::string> lines() const;
  bool shows(std::string_view text) const { return screen().find(text) != std::string::npos; }
  // Waits for it. Throws Failure, with the screen.
  void wait_for(std::string_view text, Deadline deadline = patience());
  void wait_until(const std::function<bool()>& seen, const std::string& what, Deadline deadline = patience());
  // Waits until the program exits, and for what it has written.
  ExitStatus wait(Deadline deadline = patience());

  size_t coloured() const;  // how many cells have a colour of their own
  bool alternate() const;   // the screen of full-screen programs is shown
  bool cursor_visible() const;
  std::string title() const;    // "": no program has set one
  std::string written() const;  // all bytes so far
  termios modes() const;        // as a shell would find them
  termios modes_before() const;

 private:
  struct State;
  bool read(int timeout_ms);

  const std::unique_ptr<State> state_;
  std::unique_ptr<Process> program_;
};

}  // namespace harness
