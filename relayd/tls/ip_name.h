// Whether a host's name is an address: those have no SNI (RFC 6066 section 3) and stand as such in a certificate.
#pragma once

#include <arpa/inet.h>

#include <string>
#include <string_view>

namespace relayd::tls {

inline bool is_ip_address(std::string_view name) {
  in6_addr address;
  const std::string text(name);
  return inet_pton(AF_INET, text.c_str(), &address) == 1 || inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace relayd::tls
