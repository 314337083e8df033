#include "relayd/admin/plain_probe.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "common/fd.h"

namespace relayd::admin {
namespace {

using Clock = std::chrono::steady_clock;

// MQTT 3.1.1 section 3.1: protocol name and level, clean session, a keep alive of 10 s, an empty client id.
constexpr std::array<uint8_t, 14> kConnect{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 10, 0, 0};
constexpr std::array<uint8_t, 2> kDisconnect{0xe0, 0};

bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd one{fd, events, 0};
    const int ready = left > 0 ? ::poll(&one, 1, static_cast<int>(left)) : 0;
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

}  // namespace

bool speaks_plain_mqtt(const SocketAddress& address, common::Milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  const common::Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd || (::connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)) return false;
  if (!wait_for(fd.get(), POLLOUT, deadline) ||
      ::send(fd.get(), kConnect.data(), kConnect.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(kConnect.size()) ||
      !wait_for(fd.get(), POLLIN, deadline))
    return false;
  std::array<uint8_t, 4> answer{};
  const ssize_t got = ::recv(fd.get(), answer.data(), answer.size(), 0);
  if (got < 2 || answer[0] != 0x20 || answer[1] != 2) return false;
  [[maybe_unused]] const ssize_t sent = ::send(fd.get(), kDisconnect.data(), kDisconnect.size(), MSG_NOSIGNAL);
  return true;
}

}  // namespace relayd::admin
