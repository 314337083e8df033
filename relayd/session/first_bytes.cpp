#include "relayd/session/first_bytes.h"

#include <algorithm>

#include "common/json_line.h"

namespace relayd {
namespace {

using Bytes = std::span<const uint8_t>;

// The PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt section 2.2): 12 bytes that can't start TLS. Perhaps
// only the first 5 have come (a TLS record header's length); the NUL among them rules out a text protocol.
constexpr std::string_view kProxyV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kLeastOfProxyV2 = 5;
constexpr std::string_view kProxyV1 = "PROXY ";
constexpr std::string_view kSsh = "SSH-";
// RFC 9110 section 9.3, RFC 5789; and HTTP/2 with prior knowledge (RFC 9113 section 3.4).
constexpr std::string_view kMethods[] = {"GET ",     "HEAD ",    "POST ",  "PUT ",   "DELETE ",
                                         "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "PRI * "};

bool begins(Bytes bytes, std::string_view with) {
  return bytes.size() >= with.size() &&
         std::equal(with.begin(), with.end(), bytes.begin(), [](char a, uint8_t b) { return uint8_t(a) == b; });
}

// CONNECT's fixed header, then the protocol's name (MQTT section 3.1.2.1). The first byte alone suffices: no TLS record
// starts with 0x10 (RFC 8446 section 5.1).
bool is_mqtt(Bytes bytes) {
  if (bytes[0] != 0x10) return false;
  size_t at = 1;
  while (at < bytes.size() && at < 5 && (bytes[at] & 0x80)) at++;
  const Bytes name = at + 3 < bytes.size() ? bytes.subspan(at + 3) : Bytes{};
  return name.size() < 4 || begins(name, "MQTT") || begins(name, "MQIs");
}

}  // namespace

Speaks what_speaks(Bytes first) {
  if (first.empty()) return Speaks::nothing;
  // RFC 8446 section 5.1: a handshake record, or an alert from a peer that has already failed.
  if ((first[0] == 22 || first[0] == 21) && (first.size() < 2 || first[1] == 3)) return Speaks::tls;
  if (is_mqtt(first)) return Speaks::mqtt;
  const auto of_v2 = kProxyV2.substr(0, std::clamp(first.size(), kLeastOfProxyV2, kProxyV2.size()));
  if (begins(first, kProxyV1) || begins(first, of_v2)) return Speaks::proxy;
  if (begins(first, kSsh)) return Speaks::ssh;
  if (std::ranges::any_of(kMethods, [&](std::string_view method) { return begins(first, method); }))
    return Speaks::http;
  return Speaks::other;
}

std::string named(Speaks speaks, Bytes first) {
  switch (speaks) {
    case Speaks::mqtt: return "spoke plain MQTT; this port is MQTT over TLS: switch TLS on in the device (mqtts)";
    case Speaks::http:
      return "spoke HTTP; this port is MQTT over TLS, without WebSocket: configure health checks to connect by TCP "
             "only, and read /metrics at metrics.bind";
    case Speaks::ssh:
      return "spoke SSH; this port is MQTT over TLS: correct the client's port, or ignore it if it is a scanner";
    case Speaks::proxy:
      return std::string("sent a PROXY protocol header, version ") + (first[0] == 'P' ? "1" : "2") +
             ", before TLS, but listener.proxy_protocol is not true: set it and listener.trusted_proxies, or switch it "
             "off at the load balancer (HAProxy: send-proxy, send-proxy-v2; nginx: proxy_protocol; AWS: "
             "proxy_protocol_v2.enabled)";
    case Speaks::other:
      return "sent something other than TLS, beginning with the bytes " + common::hex(first.data(), first.size()) +
             "; this port is MQTT over TLS: check that the device has TLS switched on and uses the right port";
    case Speaks::tls:
    case Speaks::nothing: break;
  }
  return "";
}

Speaks what_answers(Bytes first) {
  if (first.empty()) return Speaks::nothing;
  if ((first[0] == 22 || first[0] == 21) && (first.size() < 2 || first[1] == 3)) return Speaks::tls;
  if (first[0] == 0x20) return Speaks::mqtt;  // CONNACK (MQTT section 3.2)
  if (begins(first, "HTTP/") || first[0] == '<') return Speaks::http;
  return begins(first, kSsh) ? Speaks::ssh : Speaks::other;
}

std::string named_answer(Bytes first, std::string_view port_setting) {
  const std::string port = std::string(port_setting) + " must be the broker's port for MQTT over TLS, usually 8883";
  switch (what_answers(first)) {
    case Speaks::mqtt: return "answered in plain MQTT: that port has no TLS; " + port;
    case Speaks::http:
      return "answered in HTTP: a web server or a proxy is there; " + port + ", without a proxy in between";
    case Speaks::ssh: return "answered in SSH: " + port;
    case Speaks::other:
    case Speaks::proxy:
      return "answered with something other than TLS, beginning with the bytes " +
             common::hex(first.data(), first.size()) + "; " + port;
    case Speaks::tls:
    case Speaks::nothing: break;
  }
  return "";
}

}  // namespace relayd
