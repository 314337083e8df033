#include "relayd/worker/acceptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "common/log.h"
#include "common/poll.h"

namespace relayd {
namespace {

constexpr int kAcceptsPerWakeup = 16;    // each takes 20 µs; then established sessions have their turn
constexpr uint64_t kBurstsAPeriod = 10;  // a whole period's connections at once would delay established sessions
constexpr uint64_t kPause = 100;         // milliseconds, after accept(2) failed for lack of memory or descriptors

}  // namespace

struct Acceptor::Socket {
  Acceptor& acceptor;
  common::Fd fd;
  std::unique_ptr<common::Poll> poll = {};  // declared after the descriptor, so destroyed before it
  void ready(int) { acceptor.on_ready(*this); }
};

Acceptor::Acceptor(uv_loop_t* loop, std::vector<common::Fd> sockets, const Options& options, Counters& counters,
                   Counters::Listener& listener, void* owner, Accepted accepted)
    : loop_(loop),
      options_(options),
      counters_(counters),
      listener_(listener),
      owner_(owner),
      accepted_(accepted),
      rate_(options.rate, kBurstsAPeriod),
      again_(loop, this, common::call<&Acceptor::watch>) {
  for (auto& fd : sockets) sockets_.push_back(std::make_unique<Socket>(Socket{*this, std::move(fd)}));
  watch();
}

Acceptor::~Acceptor() = default;

void Acceptor::take_all() {
  for (auto& socket : sockets_)
    for (int left = options_.backlog + 1; left > 0 && take(*socket); left--) {  // listen(2) has room for one more
    }
}

void Acceptor::stop() {
  again_.stop();
  sockets_.clear();
}

void Acceptor::hold(bool held) {
  held_ = held;
  again_.stop();
  if (!held) return watch();
  for (auto& socket : sockets_) socket->poll.reset();
}

void Acceptor::watch() {
  if (held_) return;
  if (!spare_) keep_spare();
  for (auto& socket : sockets_) {
    socket->poll = std::make_unique<common::Poll>(loop_, socket->fd.get(), socket.get(), common::call<&Socket::ready>);
    socket->poll->set_patient(true);
    socket->poll->watch(UV_READABLE);
  }
}

// The sandbox allows opening no file, and duplicating standard error only.
void Acceptor::keep_spare() { spare_.reset(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)); }

// Connections that can't be accepted now stay in the kernel's queue and keep the sockets readable. Stops polling for a
// while, so that the loop does not spin.
void Acceptor::pause(uint64_t milliseconds) {
  for (auto& socket : sockets_) socket->poll.reset();
  if (!held_) again_.start(common::Milliseconds(milliseconds));
}

void Acceptor::on_ready(Socket& socket) {
  for (int i = 0; i < kAcceptsPerWakeup; i++) {
    if (const uint64_t wait = rate_.wait_for_one(uv_now(loop_)); wait > 0) return pause(wait);
    if (!take(socket)) return;
  }
}

// False: stop accepting for now.
bool Acceptor::take(Socket& from) {
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  common::Fd socket(::accept4(from.fd.get(), &peer.storage.any, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE) return refuse_one(from);
    if (errno == ENOBUFS || errno == ENOMEM) {
      log_shed(strerror(errno));
      pause(kPause);
      return false;
    }
    if (errno == ECONNABORTED || errno == EINTR) return true;
    if (errno != EAGAIN) pause(kPause);  // another process has shut the socket down; the supervisor mends it
    return false;
  }
  if (!admits(peer)) return true;
  count_accepted();
  switch (shed()) {
    case Shed::none: break;
    case Shed::connections:
      count(counters_.shed_connections);
      log_shed("max_connections");
      return true;
    case Shed::memory:
      count(counters_.shed_memory);
      log_shed("worker_max_memory");
      return true;
  }
  try {
    accepted_(owner_, std::move(socket), peer);
  } catch (const std::bad_alloc&) {
    count(counters_.shed_memory);
    log_shed("out of memory");
  }
  return true;
}

bool Acceptor::refuse_one(Socket& from) {
  spare_.reset();
  common::Fd socket(::accept4(from.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const int error = errno;
  const bool more = static_cast<bool>(socket);
  socket.reset();
  keep_spare();
  if (more) {
    count_accepted();
    count(counters_.shed_descriptors);
    log_shed("no file descriptor is left (LimitNOFILE)");
  }
  if (!more && error != EAGAIN) pause(kPause);  // another process took the descriptor, as can happen with ENFILE
  return more;
}

Acceptor::Shed Acceptor::shed() const {
  const auto value = [](const Counters::Number& number) { return number.load(std::memory_order_relaxed); };
  if (value(listener_.connections) >= value(listener_.max_connections)) return Shed::connections;
  if (options_.max_memory > 0 && value(counters_.memory) > options_.max_memory) return Shed::memory;
  return Shed::none;
}

// A refused address takes nothing from the listener's own rate, so that it can't keep others waiting.
bool Acceptor::admits(const SocketAddress& peer) {
  if (!options_.addresses || options_.addresses->admit(peer, uv_now(loop_))) return true;
  count(counters_.accepted);
  count(listener_.accepted);
  count(counters_.shed_address);
  if (const auto left_out = address_limit_.admit(uv_now(loop_)))
    common::log::warning("connection_shed", "a new connection was closed at once",
                         {{"worker", options_.worker},
                          {"listener", options_.listener},
                          {"cause", "max_conn_rate_per_address"},
                          {"device", peer.text()},
                          {"suppressed", *left_out}});
  return false;
}

void Acceptor::count_accepted() {
  rate_.take(1, uv_now(loop_));
  count(counters_.accepted);
  count(listener_.accepted);
}

void Acceptor::log_shed(const char* why) {
  const auto left_out = log_limit_.admit(uv_now(loop_));
  if (!left_out) return;
  common::log::warning("connection_shed", "a new connection was closed at once",
                       {{"worker", options_.worker},
                        {"listener", options_.listener},
                        {"cause", why},
                        {"connections", listener_.connections.load(std::memory_order_relaxed)},
                        {"suppressed", *left_out}});
}

}  // namespace relayd
