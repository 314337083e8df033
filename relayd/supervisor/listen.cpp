#include "relayd/supervisor/listen.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "relayd/handover/socket_address.h"

namespace relayd {
namespace {

std::string advice(int error) {
  switch (error) {
    case EADDRINUSE: return "another program listens there; find it with \"ss -ltnp\", or choose another port";
    case EADDRNOTAVAIL: return "no interface of this machine has that address; see \"ip address\"";
    case EACCES: return "ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=)";
    default: return "choose another address";
  }
}

common::Fd bind_one(const SocketAddress& address, bool shared, const std::string& name) {
  const auto fail = [&] {
    const int error = errno;
    const std::string text = "listener.bind: can't listen on " + name + ": " + strerror(error) + "; " + advice(error);
    if (error == EADDRINUSE) throw AddressInUse(text);
    if (common::passes(error)) throw common::NotYet(text);
    throw common::ConfigError(text);
  };
  common::Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) fail();
  if (shared && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) fail();
  if (::bind(fd.get(), address.get(), address.size) != 0) fail();
  return fd;
}

SocketAddress address_of(const Config::Endpoint& bind) {
  const auto address = SocketAddress::parse(bind.host, bind.port);
  if (!address) throw common::ConfigError("listener.bind: \"" + bind.host + "\" is not a numeric IPv4 or IPv6 address");
  return *address;
}

void start_listening(const common::Fd& socket, int backlog, const std::string& name) {
  if (::listen(socket.get(), backlog) != 0)
    throw common::NotYet("listener.bind: can't listen on " + name + ": " + strerror(errno));
}

}  // namespace

// With SO_REUSEPORT, a second program of the same user can silently share the port. One bind without the option detects
// that.
void require_address(const Config::Listener& listener) {
  const SocketAddress address = address_of(listener.bind);
  bind_one(address, false, address.text());
}

Listeners::Listeners(std::vector<common::Fd> activated) : before_(activated.size()), activated_(true) {
  for (common::Fd& socket : activated) sockets_.push_back({std::move(socket)});
}

Listeners::Listeners(const Config::Listener& listener, int workers) : bind_(listener.bind) {
  require_address(listener);
  adapt(listener, workers);
}

bool Listeners::serves(const Config::Listener& listener) const { return activated_ || bind_ == listener.bind; }

void Listeners::adapt(const Config::Listener& listener, int workers) {
  before_ = sockets_.size();
  if (activated_) return;
  backlog_ = listener.backlog;
  const SocketAddress address = address_of(bind_);
  while (sockets_.size() < static_cast<size_t>(workers)) sockets_.push_back({bind_one(address, true, address.text())});
  for (const Socket& socket : sockets_)
    if (!socket.rests) start_listening(socket.fd, listener.backlog, address.text());
}

// On Linux shutdown(2) ends listening and keeps the address; listen(2) begins anew.
void Listeners::rest(int number, int workers) {
  const size_t self = static_cast<size_t>(number), all = static_cast<size_t>(workers);
  if (activated_ || sockets_.size() < all) return;
  for (size_t i = self; i < sockets_.size(); i += all)
    sockets_[i].rests = ::shutdown(sockets_[i].fd.get(), SHUT_RD) == 0;
}

void Listeners::wake(int number, int workers) {
  const size_t self = static_cast<size_t>(number), all = static_cast<size_t>(workers);
  for (size_t i = self; i < sockets_.size(); i += all)
    if (sockets_[i].rests) sockets_[i].rests = ::listen(sockets_[i].fd.get(), backlog_) != 0;
}

std::vector<int> Listeners::of(int number, int workers) const {
  const size_t count = sockets_.size(), self = static_cast<size_t>(number), all = static_cast<size_t>(workers);
  if (count < all) return {sockets_[self % count].fd.get()};
  std::vector<int> served;
  for (size_t i = self; i < count; i += all) served.push_back(sockets_[i].fd.get());
  return served;
}

std::string Listeners::text() const { return SocketAddress::bound_to(sockets_.front().fd.get()).text(); }

}  // namespace relayd
