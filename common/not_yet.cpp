#include "common/not_yet.h"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "common/log.h"
#include "common/sd_notify.h"

namespace common {

using std::chrono::milliseconds;

namespace {
constexpr milliseconds kMostBetween{5000}, kSpare{30'000};
}

bool passes(int error) {
  switch (error) {
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN: return true;
    default: return false;
  }
}

milliseconds Wait::failed(const std::string& cause) {
  if (cause != cause_) log::warning("not_ready", "not ready; retrying until it works", {{"cause", cause}});
  cause_ = cause;
  return std::exchange(next_, std::min(2 * next_, kMostBetween));
}

void Wait::worked() {
  if (!cause_.empty()) log::info("ready_after_wait", "ready after waiting", {{"cause", cause_}});
  *this = {};
}

void sleep_and_tell(milliseconds time, const std::string& cause) {
  // Otherwise the service manager ends a start that takes longer than TimeoutStartSec= (sd_notify(3)).
  sd_notify("STATUS=waits: " + cause +
            "\nEXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds(time + kSpare).count()));
  for (const auto until = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < until;) {
    log::flush();
    std::this_thread::sleep_for(std::min(time, milliseconds(200)));
  }
}

}  // namespace common
