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

std::string configured_address(const Config::Listener& listener) {
  const auto bind = SocketAddress::parse(listener.bind.host, listener.bind.port);
  return bind ? bind->text() : listener.bind.host;
}

// The number of the listener that gets the socket.
size_t listener_for(const common::PassedSocket& socket, const std::vector<Config::Listener>& listeners) {
  if (listeners.size() == 1) return 0;
  auto found = std::ranges::find(listeners, socket.name, &Config::Listener::name);
  const std::string address = SocketAddress::bound_to(socket.fd.get()).text();
  if (found == listeners.end()) found = std::ranges::find(listeners, address, configured_address);
  if (found != listeners.end()) return static_cast<size_t>(found - listeners.begin());
  std::string known;
  for (const auto& listener : listeners)
    known.append(known.empty() ? "" : ", ").append(listener.name + " (" + configured_address(listener) + ")");
  throw common::ConfigError("socket activation: found the socket \"" + socket.name + "\" on " + address +
                            ", which is no listener's; set FileDescriptorName= in its unit to a listener's name, or "
                            "ListenStream= to its address: " +
                            known);
}

void take_over(const common::PassedSocket& socket, int backlog) {
  if (const std::string problem = why_no_listener(socket.fd.get()); !problem.empty())
    throw common::ConfigError("socket activation: found descriptor " + std::to_string(socket.fd.get()) + " (\"" +
                              socket.name + "\"): " + problem +
                              "; expected listening TCP sockets: ListenStream=ADDRESS:PORT in the socket unit");
  fcntl(socket.fd.get(), F_SETFL, O_NONBLOCK);  // systemd's sockets block
  if (const std::string found = mended(socket.fd.get(), backlog); !found.empty())
    common::log::error("listener_mended",
                       "the service manager passed a damaged listening socket; relayd has restored it",
                       {{"bind", SocketAddress::bound_to(socket.fd.get()).text()}, {"found", found}});
}

void warn_of_other_address(const Config::Listener& listener, const std::vector<common::Fd>& sockets) {
  const std::string configured = configured_address(listener);
  const auto has_it = [&](const common::Fd& fd) { return SocketAddress::bound_to(fd.get()).text() == configured; };
  if (!listener.bind_given || std::ranges::any_of(sockets, has_it)) return;
  common::log::warning("socket_differs",
                       "the service manager passed a socket with another address than `bind`; it is used",
                       {{"passed", SocketAddress::bound_to(sockets.front().get()).text()},
                        {"configured", configured},
                        {"setting", listener.setting_of("bind")}});
}

}  // namespace

std::vector<std::shared_ptr<ListenSockets>> activated_listeners(std::vector<common::PassedSocket>& passed,
                                                                const std::vector<Config::Listener>& listeners) {
  std::vector<size_t> owners;
  for (const common::PassedSocket& socket : passed) {
    if (why_no_listener(socket.fd.get()).empty()) owners.push_back(listener_for(socket, listeners));
    take_over(socket, listeners[owners.empty() ? 0 : owners.back()].backlog);
  }
  std::vector<std::shared_ptr<ListenSockets>> all;
  for (size_t number = 0; number < listeners.size(); number++) {
    std::vector<common::Fd> sockets;
    for (size_t i = 0; i < passed.size(); i++)
      if (owners[i] == number) sockets.push_back(std::move(passed[i].fd));
    if (sockets.empty()) continue;
    warn_of_other_address(listeners[number], sockets);
    all.push_back(std::make_shared<ListenSockets>(listeners[number], std::move(sockets)));
  }
  return all;
}

}  // namespace relayd
