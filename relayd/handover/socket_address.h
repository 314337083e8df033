// An IPv4 or IPv6 address with its port.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "ipc/protocol.h"

namespace relayd {

struct SocketAddress {
  union {  // each session has one: sockaddr_storage would take four times the room
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6{};
  } storage;
  socklen_t size = 0;

  const sockaddr* get() const { return &storage.any; }
  int family() const { return storage.any.sa_family; }
  uint16_t port() const;
  bool operator==(const SocketAddress& other) const;  // address and port
  std::string text() const;                           // "192.0.2.1:8883", "[2001:db8::1]:8883"
  std::string host() const;                           // "192.0.2.1", "2001:db8::1"
  // IPv4 addresses as IPv6 has them, IPv4-mapped (RFC 4291 section 2.5.5.2); and a mapped one as the IPv4 one that it
  // is.
  std::array<uint8_t, 16> in_ipv6() const;
  SocketAddress unmapped() const;

  // Parses a numeric address; nullopt for a name.
  static std::optional<SocketAddress> parse(const std::string& host, uint16_t port);
  static std::optional<SocketAddress> parse(const std::string& text);  // the format of text()

  // The address to which an AF_INET or AF_INET6 socket is bound. Throws std::system_error.
  static SocketAddress bound_to(int socket);
};

// The device's address and session in the form of keyd's protocol.
ipc::Origin origin_of(const SocketAddress& device, uint64_t session);

}  // namespace relayd
