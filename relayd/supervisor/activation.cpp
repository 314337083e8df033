#include "relayd/supervisor/activation.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/config.h"
#include "common/log.h"
#include "common/unix_address.h"
#include "relayd/handover/socket_address.h"
#include "relayd/supervisor/listen.h"

namespace relayd {
namespace {

// Says what the descriptor is instead; empty if it is a TCP socket that listens or can listen.
std::string why_no_listener(int fd) {
  const int family = common::socket_option(fd, SO_DOMAIN);
  if (family < 0) return "it is not a socket";
  if (family != AF_INET && family != AF_INET6)
    return "it is a socket of family " + std::to_string(family) + (family == AF_UNIX ? " (AF_UNIX)" : "");
  if (common::socket_option(fd, SO_TYPE) != SOCK_STREAM || common::socket_option(fd, SO_PROTOCOL) != IPPROTO_TCP)
    return "it is not TCP";
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 ? "it is a connection (Accept= must be no)"
                                                                         : "";
}

}  // namespace

std::vector<common::Fd> activated_listeners(std::vector<common::PassedSocket>& passed,
                                            const Config::Listener& listener) {
  std::vector<common::Fd> sockets;
  std::vector<std::string> addresses;
  for (const common::PassedSocket& socket : passed) {
    if (const std::string problem = why_no_listener(socket.fd.get()); !problem.empty())
      throw common::ConfigError("socket activation: found descriptor " + std::to_string(socket.fd.get()) + " (\"" +
                                socket.name + "\"): " + problem +
                                "; expected listening TCP sockets: ListenStream=ADDRESS:PORT in the socket unit");
    fcntl(socket.fd.get(), F_SETFL, O_NONBLOCK);  // systemd's sockets block
    addresses.push_back(SocketAddress::bound_to(socket.fd.get()).text());
    if (const std::string found = mended(socket.fd.get(), listener.backlog); !found.empty())
      common::log::error("the service manager passed a damaged listening socket; relayd has restored it",
                         {{"bind", addresses.back()}, {"found", found}});
  }
  for (common::PassedSocket& socket : passed) sockets.push_back(std::move(socket.fd));
  const auto bind = SocketAddress::parse(listener.bind.host, listener.bind.port);
  const std::string configured = bind ? bind->text() : listener.bind.host;
  if (!sockets.empty() && listener.bind_given &&
      std::find(addresses.begin(), addresses.end(), configured) == addresses.end())
    common::log::warning("the service manager passed a socket with another address than listener.bind; it is used",
                         {{"passed", addresses.front()}, {"configured", configured}, {"setting", "listener.bind"}});
  return sockets;
}

}  // namespace relayd
