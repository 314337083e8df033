// The opening handshake of a WebSocket, server's side (RFC 6455 section 4.2), for one path and the sub-protocol "mqtt"
// (MQTT 5.0 section 6). Pure: bytes in, an answer out; the caller has the socket and the deadline.
//
// The parser is ours, because Debian 12 has no HTTP parser for it: http-parser is no longer maintained, its successor
// llhttp is packaged for Node.js only, and cpp-httplib would bring sockets and names into a worker. It is stricter than
// RFC 9112 lets a server be: one request, CRLF only, no folded line, no body, at most kMaxHead bytes. No extension is
// ever agreed to, so there is no permessage-deflate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "relayd/websocket/fault.h"

namespace relayd::websocket {

inline constexpr size_t kMaxHead = 8 * 1024;  // bytes of the request line and the headers

struct NeedMore {};  // only for fewer than kMaxHead bytes
struct Upgrade {
  size_t size = 0;  // bytes of the request; what follows it are frames
  std::string key;  // Sec-WebSocket-Key: 24 characters, base64 of 16 bytes
};
struct Refused {
  Fault fault = Fault::bad_request;
  std::string why;  // for the log: may quote at most kMaxQuoted bytes of the request, unescaped
};
inline constexpr size_t kMaxQuoted = 100;

// `bytes`: everything received so far. `path`: of the resource; a query after it is ignored. `origins`: the pages that
// may connect (RFC 6455 section 10.2); empty: any. A client that sends no Origin is not a browser, and no page has sent
// it.
std::variant<NeedMore, Upgrade, Refused> parse_upgrade(std::span<const uint8_t> bytes, std::string_view path,
                                                       std::span<const std::string> origins = {});

// The responses: 101 with the sub-protocol; 400, 403, 404 or 426, after which the connection is closed.
std::string accept(const Upgrade& upgrade);
std::string refuse(Fault fault);

}  // namespace relayd::websocket
