#include "relayd/admin/top.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ostream>
#include <span>

#include "relayd/admin/top_sampler.h"
#include "relayd/admin/top_terminal.h"
#include "relayd/admin/trace.h"

namespace relayd::admin {
namespace {

using common::Milliseconds;
constexpr size_t kDevicesInALine = 20;
constexpr std::array<uint64_t, 6> kIntervals{1, 2, 5, 10, 30, 60};  // that + and - choose from, seconds

DeviceOrder order_of(const std::string& name) {
  const auto found = std::ranges::find(kDeviceOrders, std::string_view(name));
  return static_cast<DeviceOrder>(found - kDeviceOrders.begin());
}

Milliseconds in_ms(uint64_t seconds) { return Milliseconds(static_cast<int64_t>(seconds) * 1000); }

// Waits for what the sampler waits for, and for `more`, of which `revents` are returned. False: it was interrupted.
bool wait(const TopSampler& sampler, std::span<pollfd> more, Milliseconds at_most) {
  std::vector<pollfd> all(more.begin(), more.end());
  sampler.add_to(all);
  if (poll(all.data(), all.size(), static_cast<int>(at_most.count())) < 0) return false;
  std::copy_n(all.begin(), more.size(), more.begin());
  return true;
}

// The signals that matter to a screen come as a descriptor, so that none arrives in the middle of an escape sequence.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT}) sigaddset(&set_, number);
    sigprocmask(SIG_BLOCK, &set_, &before_);
    fd_.reset(signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~Signals() {
    while (next() != 0) {  // those that have already been obeyed
    }
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int descriptor() const { return fd_.get(); }
  int next() const {  // 0: there is none
    signalfd_siginfo info{};
    return read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }
  // As the terminal's ^Z: the kernel decides, which does not stop a process that no shell could continue.
  static void stop_here() {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &stop, nullptr);  // stops here
    sigprocmask(SIG_BLOCK, &stop, nullptr);
  }

 private:
  sigset_t set_{}, before_{};
  common::Fd fd_;
};

class LiveScreen {
 public:
  LiveScreen(const std::string& control_socket, const TopLine& line, bool colour)
      : choice_{.order = order_of(line.sort), .interval = parse_seconds(line.interval).value_or(1)},
        count_(line.count),
        terminal_(colour),
        sampler_(control_socket, in_ms(choice_.interval)) {}

  void run() {
    bool changed = true;
    while (!over_) {
      if (!choice_.paused && sampler_.begin_due()) changed = true;
      if (changed) paint();
      std::array<pollfd, 2> own{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{signals_.descriptor(), POLLIN, 0}};
      const bool idle = choice_.paused && !sampler_.under_way();
      if (!wait(sampler_, own, idle ? Milliseconds(60'000) : sampler_.until_due())) continue;
      changed = sampler_.advance();
      if (own[1].revents != 0) changed |= take_signals();
      if (own[0].revents != 0) changed |= take_keys();
      if ((own[0].revents & (POLLHUP | POLLERR)) != 0) over_ = true;  // the terminal is gone
      if (count_ > 0 && sampler_.samples() > count_ && !sampler_.under_way()) over_ = true;
    }
  }

 private:
  void paint() {
    const int height = terminal_.height();
    const TopSight sight = sampler_.sight(choice_.order, static_cast<size_t>(std::max(height, 0)));
    terminal_.paint(top_layout(sight, choice_, terminal_.width(), height));
  }

  bool take_signals() {
    bool any = false;
    for (int number; (number = signals_.next()) != 0; any = true) {
      if (number == SIGWINCH) terminal_.resized();
      else if (number == SIGCONT) terminal_.come_back();
      else if (number == SIGTSTP) suspend();
      else over_ = true;
    }
    return any;
  }

  void suspend() {
    terminal_.leave();
    Signals::stop_here();
    terminal_.come_back();
  }

  bool take_keys() {
    bool any = false;
    for (std::optional<char> key; (key = terminal_.key()); any = true) obey(*key);
    return any;
  }

  void obey(char key) {
    constexpr char kControlL = 'L' & 0x1f;
    switch (key) {
      case 'q': over_ = true; break;
      case 'h':
      case '?': choice_.help = !choice_.help; break;
      case 'p':
      case ' ': choice_.paused = !choice_.paused; break;
      case 's': sort_by((static_cast<size_t>(choice_.order) + 1) % kDeviceOrders.size()); break;
      case '+': choose(longer_than(choice_.interval)); break;
      case '-': choose(shorter_than(choice_.interval)); break;
      case kControlL: terminal_.repaint(); break;
      default:
        if (key >= '1' && key < '1' + static_cast<int>(kDeviceOrders.size())) sort_by(static_cast<size_t>(key - '1'));
    }
  }

  static uint64_t longer_than(uint64_t interval) {
    const auto found = std::ranges::upper_bound(kIntervals, interval);
    return found == kIntervals.end() ? kIntervals.back() : *found;
  }
  static uint64_t shorter_than(uint64_t interval) {
    const auto found = std::ranges::lower_bound(kIntervals, interval);
    return found == kIntervals.begin() ? kIntervals.front() : *(found - 1);
  }

  void sort_by(size_t order) { choice_.order = static_cast<DeviceOrder>(order); }

  void choose(uint64_t interval) {
    choice_.interval = interval;
    sampler_.set_interval(in_ms(interval));
  }

  TopChoice choice_;
  const uint64_t count_;
  const Signals signals_;
  TopTerminal terminal_;
  TopSampler sampler_;
  bool over_ = false;
};

int print_lines(const std::string& control_socket, const TopLine& line, std::ostream& out) {
  TopSampler sampler(control_socket, in_ms(parse_seconds(line.interval).value_or(1)));
  uint64_t printed = 0, samples = 1;  // the first sample has no rates
  while (out && (line.count == 0 || printed < line.count)) {
    sampler.begin_due();
    wait(sampler, {}, sampler.until_due());
    sampler.advance();
    const TopSight sight = sampler.sight(order_of(line.sort), kDevicesInALine);
    if (!sight.away.empty()) throw Unavailable(sight.away);
    if (sampler.under_way() || sampler.samples() <= samples) continue;
    samples = sampler.samples();
    printed++;
    out << top_line(sight) << std::flush;
  }
  return 0;
}

}  // namespace

int top(const std::string& control_socket, const TopLine& line, std::ostream& out, const common::Screen& screen) {
  constexpr Milliseconds kPatience{10'000};
  ask(control_socket, {{"command", "status"}}, kPatience);  // says what is wrong before the screen is cleared
  if (line.json || !screen.terminal || isatty(STDIN_FILENO) != 1) return print_lines(control_socket, line, out);
  LiveScreen(control_socket, line, screen.colour).run();
  return 0;
}

}  // namespace relayd::admin
