#include "common/sd_notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/fd.h"

namespace common {

bool sd_notify(std::string_view state) {
  const char* path = getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path) return false;
  memcpy(address.sun_path, path, strlen(path));
  if (path[0] == '@') address.sun_path[0] = '\0';  // abstract socket, unix(7)
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + strlen(path));
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // A service manager that does not read must not stop the relay: sendto(2) would wait for room in its queue (unix(7)).
  const timeval patience{1, 0};
  return fd && setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
         ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                  size) == static_cast<ssize_t>(state.size());
}

bool sd_notify_reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t us = now.tv_sec * int64_t{1'000'000} + now.tv_nsec / 1000;
  return sd_notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

std::optional<std::chrono::milliseconds> sd_watchdog_interval() {
  const char* interval = getenv("WATCHDOG_USEC");
  const char* whose = getenv("WATCHDOG_PID");
  if (!interval || (whose && strtoll(whose, nullptr, 10) != getpid())) return std::nullopt;
  const long long us = strtoll(interval, nullptr, 10);
  if (us < 2000) return std::nullopt;  // below 2 ms: not a usable interval
  return std::chrono::milliseconds(us / 1000);
}

}  // namespace common
