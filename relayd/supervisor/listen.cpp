#include "relayd/supervisor/listen.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "relayd/socket_address.h"

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
    throw common::ConfigError("listener.bind: can't listen on " + name + ": " + strerror(errno) + "; " + advice(errno));
  };
  common::Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) fail();
  if (shared && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) fail();
  if (::bind(fd.get(), address.get(), address.size) != 0) fail();
  return fd;
}

}  // namespace

std::vector<common::Fd> open_listeners(const Config::Listener& listener, int count) {
  const auto address = SocketAddress::parse(listener.bind.host, listener.bind.port);
  if (!address)
    throw common::ConfigError("listener.bind: \"" + listener.bind.host + "\" is no numeric IPv4 or IPv6 address");
  const std::string name = address->text();
  // SO_REUSEPORT lets a second program of the same user in without a word. One bind without it finds it out.
  bind_one(*address, false, name).reset();
  std::vector<common::Fd> sockets;
  for (int i = 0; i < count; i++) {
    sockets.push_back(bind_one(*address, true, name));
    if (::listen(sockets.back().get(), listener.backlog) != 0)
      throw common::ConfigError("listener.bind: can't listen on " + name + ": " + strerror(errno));
  }
  return sockets;
}

}  // namespace relayd
