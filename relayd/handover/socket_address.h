// An IPv4 or IPv6 address with its port.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>

#include "ipc/protocol.h"

namespace relayd {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  bool operator==(const SocketAddress& other) const;  // address and port
  std::string text() const;                           // "192.0.2.1:8883", "[2001:db8::1]:8883"

  // A numeric address; nullopt for a name.
  static std::optional<SocketAddress> parse(const std::string& host, uint16_t port);
  static std::optional<SocketAddress> parse(const std::string& text);  // as text() writes it

  // What an AF_INET or AF_INET6 socket is bound to. Throws std::system_error.
  static SocketAddress bound_to(int socket);
};

// As keyd's protocol carries it.
ipc::Origin origin_of(const SocketAddress& device, uint64_t session);

}  // namespace relayd
