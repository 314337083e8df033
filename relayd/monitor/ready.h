// Waits for a descriptor, until a deadline at most.
#pragma once

#include <poll.h>

#include <cerrno>
#include <chrono>

namespace relayd::monitor {

// Whether `fd` is ready for one of `events` (POLLIN, POLLOUT) before `deadline`.
inline bool ready(int fd, short events, std::chrono::steady_clock::time_point deadline) {
  pollfd waiting{fd, events, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    const int count = ::poll(&waiting, 1, static_cast<int>(left));
    if (count > 0) return (waiting.revents & events) != 0;
    if (count < 0 && errno != EINTR) return false;
  }
}

}  // namespace relayd::monitor
