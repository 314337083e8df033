#include "relayd/session/dialer.h"

#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>

namespace relayd {

void set_tcp_options(int socket) {
  // A peer that vanished without a FIN: found after 60 s + 4 * 15 s of silence (tcp(7)); keep alive of MQTT is the
  // remote broker's business. None of these can fail on a TCP socket.
  const int on = 1, idle = 60, interval = 15, probes = 4;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

Dialer::Dialer(uv_loop_t* loop, std::vector<SocketAddress> addresses, std::chrono::milliseconds budget, void* owner,
               Done done)
    : loop_(loop),
      addresses_(std::move(addresses)),
      budget_(budget),
      owner_(owner),
      done_(done),
      attempt_(loop, this, [](void* self) { static_cast<Dialer*>(self)->attempt_failed("timed out"); }),
      give_up_(loop, this, [](void* self) { static_cast<Dialer*>(self)->give_up(); }) {
  next();
}

void Dialer::next() {
  poll_.reset();
  socket_.reset();
  attempt_.stop();
  if (next_ >= addresses_.size()) return give_up_.start(std::chrono::milliseconds(0));  // from the loop, not from here
  const SocketAddress& address = addresses_[next_++];
  attempt_.start(budget_ / static_cast<int64_t>(addresses_.size()));
  socket_.reset(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket_) return attempt_failed(strerror(errno));
  set_tcp_options(socket_.get());
  if (::connect(socket_.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
    return attempt_failed(strerror(errno));
  poll_ = std::make_unique<common::Poll>(loop_, socket_.get(), this,
                                         [](void* self, int) { static_cast<Dialer*>(self)->on_writable(); });
  poll_->watch(UV_WRITABLE);
}

void Dialer::attempt_failed(const std::string& cause) {
  failure_ = addresses_[next_ - 1].text() + ": " + cause;
  next();
}

void Dialer::give_up() {
  const auto failure = std::move(failure_);  // the owner may destroy this dialer
  done_(owner_, common::Fd(), failure);
}

void Dialer::on_writable() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return attempt_failed(strerror(error));
  poll_.reset();
  attempt_.stop();
  done_(owner_, std::move(socket_), "");
}

}  // namespace relayd
