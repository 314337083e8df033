// The PROXY protocol's header, versions 1 and 2: a load balancer sends it before a connection's first byte, to say
// whose connection it is (haproxy.org, doc/proxy-protocol.txt). Read from load balancers, written to brokers.
//
// Pure. The reader is strict: what the specification does not allow is refused, as it demands (section 2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "relayd/handover/socket_address.h"

namespace relayd::proxy {

// Bytes of a header that is accepted. The specification allows 64 KiB for version 2, of which addresses take 36 and
// load balancers use a few hundred; version 1 has at most 107.
inline constexpr size_t kMaxHeader = 4096;

// Where the connection comes from, and where it was accepted.
struct Endpoints {
  SocketAddress source, destination;
};

struct Header {
  // nullopt: the load balancer speaks for itself, as a health check does (LOCAL, or version 1's UNKNOWN).
  std::optional<Endpoints> endpoints;
  size_t size = 0;  // bytes of the header; the connection's own follow
};
struct NeedMore {};
struct BadHeader {
  std::string_view why;  // static text for the operator
};

// `in` holds all bytes received so far. Call it again when more have come; it asks for more only while they could still
// become a header of at most kMaxHeader bytes.
std::variant<NeedMore, BadHeader, Header> parse(std::span<const uint8_t> in);

// What the receiver learns about the device's TLS connection with the gateway (section 2.2.5).
struct Tls {
  std::string_view version;      // "TLSv1.3"
  std::string_view common_name;  // of the verified certificate; empty: none is said
};

// A version 2 header. If one address is IPv6, an IPv4 one is written as IPv6, too. `tls`: PP2_TYPE_SSL, with a client
// certificate that was verified on this connection, as HAProxy's send-proxy-v2-ssl-cn writes it.
std::vector<uint8_t> encode(const Endpoints& endpoints, const std::optional<Tls>& tls);
// The same for a connection of our own (LOCAL).
std::vector<uint8_t> encode_local();

}  // namespace relayd::proxy
