#include "tests/integration/harness/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vterm.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <utility>

namespace harness {

struct Terminal::State {
  int master = -1, slave = -1;
  VTerm* vterm = nullptr;
  VTermScreen* screen = nullptr;
  bool alternate = false, cursor = true;
  std::string title, written;
  termios before{};

  ~State() {
    if (vterm) vterm_free(vterm);
    for (const int fd : {master, slave})
      if (fd >= 0) close(fd);
  }
  static int on_property(VTermProp property, VTermValue* value, void* self) {
    State& state = *static_cast<State*>(self);
    if (property == VTERM_PROP_ALTSCREEN) state.alternate = value->boolean;
    if (property == VTERM_PROP_CURSORVISIBLE) state.cursor = value->boolean;
    if (property == VTERM_PROP_TITLE) state.title = "set";
    return 1;
  }
  void open(int rows, int columns) {
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    std::array<char, 64> path{};
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        ptsname_r(master, path.data(), path.size()) != 0 ||
        (slave = ::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
      fail_errno("a pseudo-terminal");
    set_size(rows, columns);
    tcgetattr(slave, &before);
    vterm = vterm_new(rows, columns);
    vterm_set_utf8(vterm, 1);
    screen = vterm_obtain_screen(vterm);
    static const VTermScreenCallbacks callbacks = [] {
      VTermScreenCallbacks all{};
      all.settermprop = on_property;
      return all;
    }();
    vterm_screen_set_callbacks(screen, &callbacks, this);
    vterm_screen_enable_altscreen(screen, 1);
    vterm_screen_reset(screen, 1);
  }
  void set_size(int rows, int columns) const {
    const winsize size{static_cast<unsigned short>(rows), static_cast<unsigned short>(columns), 0, 0};
    ioctl(master, TIOCSWINSZ, &size);
  }
};

Terminal::Terminal(ProcessOptions program, const TerminalOptions& options) : state_(std::make_unique<State>()) {
  state_->open(options.rows, options.columns);
  program.environment.insert(program.environment.end(), {"TERM=" + options.type, "LC_ALL=" + options.locale});
  program.before_exec = [slave = state_->slave] {
    if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) != 0) return false;
    return dup2(slave, 0) == 0 && dup2(slave, 1) == 1 && dup2(slave, 2) == 2;
  };
  program_ = std::make_unique<Process>(program);
}

Terminal::~Terminal() = default;

void Terminal::type(std::string_view keys) {
  if (::write(state_->master, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) fail_errno("type");
}

void Terminal::resize(int rows, int columns) {
  vterm_set_size(state_->vterm, rows, columns);
  state_->set_size(rows, columns);  // the kernel sends SIGWINCH
}

void Terminal::hang_up() { close(std::exchange(state_->master, -1)); }

// Reads once. False: nothing came.
bool Terminal::read(int timeout_ms) {
  pollfd ready{state_->master, POLLIN, 0};  // poll(2) leaves out -1
  if (poll(&ready, 1, timeout_ms) <= 0) return false;
  std::array<char, 65536> bytes;
  const ssize_t got = ::read(state_->master, bytes.data(), bytes.size());
  if (got <= 0) return false;
  state_->written.append(bytes.data(), static_cast<size_t>(got));
  vterm_input_write(state_->vterm, bytes.data(), static_cast<size_t>(got));
  const size_t answers = vterm_output_read(state_->vterm, bytes.data(), bytes.size());
  if (answers > 0) type({bytes.data(), answers});
  return true;
}

std::vector<std::string> Terminal::lines() const {
  std::vector<std::string> lines;
  std::istringstream text(screen());
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::string Terminal::screen() const {
  int rows = 0, columns = 0;
  vterm_get_size(state_->vterm, &rows, &columns);
  std::string all;
  for (int row = 0; row < rows; row++) {
    std::string line(static_cast<size_t>(columns) * VTERM_MAX_CHARS_PER_CELL * 4, '\0');
    line.resize(vterm_screen_get_text(state_->screen, line.data(), line.size(), {row, row + 1, 0, columns}));
    for (char& c : line)
      if (c == '\0') c = ' ';
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + "\n";
  }
  return all;
}

void Terminal::wait_until(const std::function<bool()>& seen, const std::string& what, Deadline deadline) {
  while (!seen()) {
    if (read(std::min(deadline.poll_timeout(), 100))) continue;
    if (!deadline.over() && program_->running()) continue;
    while (read(0)) {
    }
    if (seen()) return;
    throw Failure("the screen never showed: " + what + "\n" + screen());
  }
}

void Terminal::wait_for(std::string_view text, Deadline deadline) {
  wait_until([&] { return shows(text); }, std::string(text), deadline);
}

ExitStatus Terminal::wait(Deadline deadline) {
  while (program_->running() && !deadline.over()) read(50);
  const ExitStatus status = program_->wait(deadline);
  while (read(0)) {
  }
  return status;
}

size_t Terminal::coloured() const {
  int rows = 0, columns = 0;
  vterm_get_size(state_->vterm, &rows, &columns);
  size_t count = 0;
  for (int row = 0; row < rows; row++)
    for (int column = 0; column < columns; column++) {
      VTermScreenCell cell;
      vterm_screen_get_cell(state_->screen, {row, column}, &cell);
      count += VTERM_COLOR_IS_INDEXED(&cell.fg) != 0;
    }
  return count;
}

bool Terminal::alternate() const { return state_->alternate; }
bool Terminal::cursor_visible() const { return state_->cursor; }
std::string Terminal::title() const { return state_->title; }
std::string Terminal::written() const { return state_->written; }
termios Terminal::modes_before() const { return state_->before; }
termios Terminal::modes() const {
  termios now{};
  tcgetattr(state_->slave, &now);
  return now;
}

}  // namespace harness
