#include "common/sd_listen.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace common {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr char kNoName[] = "unknown";

// Unsets the variable and returns its text; empty if it was not set.
std::string take_variable(const char* name) {
  const char* value = getenv(name);
  std::string text = value ? value : "";
  unsetenv(name);
  return text;
}

int number(const char* variable, std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    throw std::runtime_error(std::string(variable) + ": found \"" + std::string(text) + "\"; expected a number of " +
                             std::to_string(least) + " to " + std::to_string(most));
  return value;
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  for (;;) {
    const size_t end = text.find(':');
    names.emplace_back(text.substr(0, end));
    if (end == text.npos) return names;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<PassedSocket> take_passed_sockets() {
  const std::string pid = take_variable("LISTEN_PID"), count_text = take_variable("LISTEN_FDS"),
                    names_text = take_variable("LISTEN_FDNAMES");
  unsetenv("LISTEN_PIDFDID");  // newer systemd also identifies the process by this
  if (pid.empty() || count_text.empty()) return {};
  // The sockets were meant for an ancestor that did not take them: descriptors with these numbers are not ours.
  if (number("LISTEN_PID", pid, 1, 1 << 30) != getpid()) return {};
  const int count = number("LISTEN_FDS", count_text, 0, kMostPassedSockets);
  std::vector<std::string> names(static_cast<size_t>(count), kNoName);
  if (!names_text.empty()) names = split_names(names_text);
  if (names.size() != static_cast<size_t>(count))
    throw std::runtime_error("LISTEN_FDNAMES: found " + std::to_string(names.size()) + " names in \"" + names_text +
                             "\"; LISTEN_FDS says " + std::to_string(count));
  std::vector<PassedSocket> sockets;
  for (int i = 0; i < count; i++) {
    if (fcntl(kFirst + i, F_SETFD, FD_CLOEXEC) != 0)
      throw std::runtime_error("LISTEN_FDS: found " + count_text + ", but descriptor " + std::to_string(kFirst + i) +
                               " is not open: " + strerror(errno));
    sockets.push_back({Fd(kFirst + i), names[static_cast<size_t>(i)]});
  }
  return sockets;
}

}  // namespace common
