#include "relayd/handover/socket_address.h"

#include <arpa/inet.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

namespace relayd {

bool SocketAddress::operator==(const SocketAddress& other) const {
  return size == other.size && memcmp(&storage, &other.storage, size) == 0;
}

uint16_t SocketAddress::port() const {
  const bool v6 = family() == AF_INET6;
  return ntohs(v6 ? reinterpret_cast<const sockaddr_in6&>(storage).sin6_port
                  : reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

std::string SocketAddress::text() const {
  char host[INET6_ADDRSTRLEN] = "?";
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &storage.v6.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(storage.v6.sin6_port));
  }
  inet_ntop(AF_INET, &storage.v4.sin_addr, host, sizeof host);
  return std::string(host) + ":" + std::to_string(ntohs(storage.v4.sin_port));
}

std::optional<SocketAddress> SocketAddress::parse(const std::string& host, uint16_t port) {
  SocketAddress result;
  auto& v4 = result.storage.v4;
  auto& v6 = result.storage.v6;
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    result.size = sizeof v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    result.size = sizeof v6;
  } else {
    return std::nullopt;
  }
  return result;
}

std::optional<SocketAddress> SocketAddress::parse(const std::string& text) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  if (colon == std::string::npos) return std::nullopt;
  const char* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data() + colon + 1, end, port); read.ptr != end || read.ec != std::errc())
    return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return parse(host, port);
}

SocketAddress SocketAddress::bound_to(int socket) {
  SocketAddress result;
  result.size = sizeof result.storage;
  if (getsockname(socket, &result.storage.any, &result.size) != 0)
    throw std::system_error(errno, std::generic_category(), "getsockname");
  if (result.size > sizeof result.storage)
    throw std::system_error(EAFNOSUPPORT, std::generic_category(), "getsockname");
  return result;
}

ipc::Origin origin_of(const SocketAddress& device, uint64_t session) {
  ipc::Origin origin;
  origin.session = session;
  if (device.family() == AF_INET6) {
    const auto& address = device.storage.v6;
    memcpy(origin.device_ip.data(), &address.sin6_addr, 16);
    origin.device_port = ntohs(address.sin6_port);
  } else {
    const auto& address = device.storage.v4;
    origin.device_ip[10] = origin.device_ip[11] = 0xff;  // IPv4-mapped, RFC 4291 section 2.5.5.2
    memcpy(origin.device_ip.data() + 12, &address.sin_addr, 4);
    origin.device_port = ntohs(address.sin_port);
  }
  return origin;
}

}  // namespace relayd
