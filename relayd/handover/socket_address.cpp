#include "relayd/handover/socket_address.h"

#include <arpa/inet.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

namespace relayd {
namespace {

constexpr size_t kMappedPrefix = 12;  // bytes of ::ffff:0:0/96
constexpr std::array<uint8_t, 16> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool SocketAddress::operator==(const SocketAddress& other) const {
  return size == other.size && memcmp(&storage, &other.storage, size) == 0;
}

uint16_t SocketAddress::port() const {
  const bool v6 = family() == AF_INET6;
  return ntohs(v6 ? reinterpret_cast<const sockaddr_in6&>(storage).sin6_port
                  : reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

std::string SocketAddress::host() const {
  char host[INET6_ADDRSTRLEN] = "?";
  if (family() == AF_INET6) inet_ntop(AF_INET6, &storage.v6.sin6_addr, host, sizeof host);
  else inet_ntop(AF_INET, &storage.v4.sin_addr, host, sizeof host);
  return host;
}

std::string SocketAddress::text() const {
  const std::string name = family() == AF_INET6 ? "[" + host() + "]" : host();
  return name + ":" + std::to_string(port());
}

std::array<uint8_t, 16> SocketAddress::in_ipv6() const {
  std::array<uint8_t, 16> bytes = kMapped;
  if (family() == AF_INET6) memcpy(bytes.data(), &storage.v6.sin6_addr, bytes.size());
  else memcpy(bytes.data() + kMappedPrefix, &storage.v4.sin_addr, bytes.size() - kMappedPrefix);
  return bytes;
}

SocketAddress SocketAddress::unmapped() const {
  if (family() != AF_INET6 || memcmp(&storage.v6.sin6_addr, kMapped.data(), kMappedPrefix) != 0) return *this;
  SocketAddress result;
  result.storage.v4 = {.sin_family = AF_INET, .sin_port = storage.v6.sin6_port, .sin_addr = {}, .sin_zero = {}};
  memcpy(&result.storage.v4.sin_addr, storage.v6.sin6_addr.s6_addr + kMappedPrefix, 4);
  result.size = sizeof result.storage.v4;
  return result;
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
  return {.session = session, .device_ip = device.in_ipv6(), .device_port = device.port()};
}

}  // namespace relayd
