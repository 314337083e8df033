#include "relayd/monitor/connections.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <thread>

#include "relayd/monitor/ready.h"

namespace relayd::monitor {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};  // after accept(2) failed for lack of descriptors or memory
constexpr std::string_view kEmptyLine = "\r\n\r\n";     // RFC 9112 2.1

bool passes(int error) { return error == EAGAIN || error == EINTR; }

// The response to the request that `client` sends; empty if it sends none in time.
std::string response_to(int client, const Http& http) {
  const auto deadline = Connections::Clock::now() + Connections::kReading;
  std::array<char, kMostHead> bytes;
  size_t size = 0;
  while (ready(client, POLLIN, deadline)) {
    const ssize_t got = ::recv(client, bytes.data() + size, bytes.size() - size, MSG_DONTWAIT);
    if (got < 0 && passes(errno)) continue;
    if (got <= 0) return "";
    size += static_cast<size_t>(got);
    const std::string_view head(bytes.data(), size);
    if (const size_t end = head.find(kEmptyLine); end != head.npos)
      return http.answer(head.substr(0, end + kEmptyLine.size()));
    if (size == bytes.size()) return Http::too_long();
  }
  return "";
}

bool send(int client, std::string_view text, Connections::Clock::time_point deadline) {
  while (!text.empty()) {
    if (!ready(client, POLLOUT, deadline)) return false;
    const ssize_t sent = ::send(client, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && passes(errno)) continue;
    if (sent < 0) return false;
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Waits for the client to close first: closing with bytes unread sends a reset, which can overtake the response (RFC
// 9112 9.6).
void finish(int client, Connections::Clock::time_point deadline) {
  ::shutdown(client, SHUT_WR);
  std::array<char, 4096> unread;
  while (ready(client, POLLIN, deadline)) {
    const ssize_t got = ::recv(client, unread.data(), unread.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && !passes(errno))) return;
  }
}

}  // namespace

Connections::Connections(int listener, const Http& http) : listener_(listener), http_(http) {
  for (int i = 0; i < kMost; i++) std::thread([this] { serve(); }).detach();
  // Waits until each thread runs: glibc aborts if a new thread can't call rseq(2), which the sandbox forbids later.
  running_.wait();
}

void Connections::serve() {
  running_.count_down();
  released_.wait();
  for (;;) {
    const common::Fd client = accept();
    try {
      serve_one(client.get());
    } catch (const std::exception&) {  // the memory limit is reached: this client gets no response
    }
  }
}

common::Fd Connections::accept() {
  const std::lock_guard turn(turn_);
  for (;;) {
    pollfd waiting{listener_, POLLIN, 0};
    ::poll(&waiting, 1, -1);
    common::Fd client(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) return client;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      std::this_thread::sleep_for(kAcceptPause);
  }
}

void Connections::serve_one(int client) const {
  const std::string response = response_to(client, http_);
  const auto deadline = Clock::now() + kWriting;
  if (!response.empty() && send(client, response, deadline)) finish(client, deadline);
}

}  // namespace relayd::monitor
