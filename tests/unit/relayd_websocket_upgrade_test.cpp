// The opening handshake of a WebSocket: what is accepted, and what each refusal says.
#include <string>

#include "relayd/websocket/upgrade.h"
#include "tests/unit/catch.h"

using namespace relayd;
using namespace std::string_literals;

namespace {

// RFC 6455 section 1.2, with MQTT's sub-protocol.
const std::string kHost = "Host: server.example.com\r\n", kUpgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n",
                  kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", kVersion = "Sec-WebSocket-Version: 13\r\n",
                  kMqtt = "Sec-WebSocket-Protocol: mqtt\r\n", kAll = kHost + kUpgrade + kKey + kVersion + kMqtt;

std::string request(const std::string& headers, const std::string& line = "GET /mqtt HTTP/1.1") {
  return line + "\r\n" + headers + "\r\n";
}

auto parse(const std::string& text) {
  return websocket::parse_upgrade({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "/mqtt");
}

// "accepted", or "FAULT: why". The same however the request is cut, and with frames behind it.
std::string verdict_on(const std::string& text) {
  const auto said = [&](const auto& parsed) -> std::string {
    if (const auto* refused = std::get_if<websocket::Refused>(&parsed))
      return websocket::kFaults[static_cast<size_t>(refused->fault)] + ": "s + refused->why;
    CHECK(std::get<websocket::Upgrade>(parsed).size == text.size());
    return "accepted";
  };
  std::string in_pieces;
  for (size_t size = 0; size <= text.size() && in_pieces.empty(); size++) {
    const auto parsed = parse(text.substr(0, size));
    if (!std::holds_alternative<websocket::NeedMore>(parsed)) in_pieces = said(parsed);
  }
  const auto whole = parse(text + "\x82\x80");
  if (std::holds_alternative<websocket::NeedMore>(whole)) return "more";
  CHECK(said(whole) == in_pieces);
  return in_pieces;
}

bool begins(const std::string& text, const std::string& with) {
  UNSCOPED_INFO(text);
  return text.starts_with(with);
}

}  // namespace

TEST_CASE("websocket: an upgrade request for MQTT is accepted, as clients and proxies may write it") {
  CHECK(verdict_on(request(kAll)) == "accepted");
  CHECK(verdict_on(request(kMqtt + kVersion + kKey + kUpgrade + kHost)) == "accepted");
  CHECK(verdict_on(request(
            kHost + kKey + kVersion +
            "upgrade: WebSocket\r\nCONNECTION:keep-alive , upgrade\t\r\nsec-websocket-protocol: mqttv3.1,mqtt\r\n")) ==
        "accepted");
  CHECK(verdict_on(request(kHost + kUpgrade + kKey + kVersion + "Sec-WebSocket-Protocol: chat\r\n" + kMqtt)) ==
        "accepted");
  CHECK(verdict_on(request(kAll +
                           "Upgrade: h2c\r\nOrigin: https://x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" +
                           "Content-Length: 0\r\nEmpty:\r\nLatin: \xE4\r\n")) == "accepted");
  CHECK(verdict_on(request(kAll, "GET /mqtt?token=a HTTP/1.1")) == "accepted");
}

TEST_CASE("websocket: the response proves the key, names mqtt and agrees to no extension") {
  const auto parsed = parse(request(kAll + "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  CHECK(websocket::accept(std::get<websocket::Upgrade>(parsed)) ==
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");  // section 1.3
}

TEST_CASE("websocket: what an upgrade lacks is named, with the fault that decides the status") {
  using websocket::Fault;
  CHECK(begins(verdict_on(request(kUpgrade + kKey + kVersion + kMqtt)),
               "bad_request: its request is none: it has not exactly one Host"));
  CHECK(begins(verdict_on(request(kAll + kHost)), "bad_request: its request is none: it has not exactly one Host"));
  CHECK(begins(verdict_on(request(kHost + "Upgrade: websocket\r\n" + kKey + kVersion + kMqtt)),
               "bad_request: its request is none: it has not both"));
  CHECK(begins(verdict_on(request(kHost + "Connection: Upgrade\r\n" + kKey + kVersion + kMqtt)),
               "bad_request: its request is none: it has not both"));
  CHECK(begins(verdict_on(request(kHost)), "bad_request: its request is none: it has not both"));
  CHECK(begins(verdict_on(request(kAll, "GET /mqtt/ HTTP/1.1")), "not_found: it asked for \"/mqtt/\", not for /mqtt"));
  CHECK(begins(verdict_on(request(kAll, "GET http://x/mqtt HTTP/1.1")), "not_found: "));
  CHECK(begins(verdict_on(request(kHost + kUpgrade + kKey + kMqtt)),
               "bad_version: its Sec-WebSocket-Version is \"\", not 13"));
  CHECK(begins(verdict_on(request(kAll + kVersion)), "bad_version: "));
  CHECK(begins(verdict_on(request(kHost + kUpgrade + kVersion + kMqtt)),
               "bad_request: its request is none: its Sec-WebSocket-Key"));
  CHECK(begins(verdict_on(request(kAll + kKey)), "bad_request: its request is none: its Sec-WebSocket-Key"));
  for (const char* key : {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZ===",
                          "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25j*Q==", "dGhlIHNhbXBsZSBub25jZQ==dGhlIHN="})
    CHECK(begins(verdict_on(request(kHost + kUpgrade + kVersion + kMqtt + "Sec-WebSocket-Key: " + key + "\r\n")),
                 "bad_request: "));
  for (const char* offered : {"", "Sec-WebSocket-Protocol: MQTT\r\n", "Sec-WebSocket-Protocol: mqttv3.1, mqtt5\r\n"})
    CHECK(begins(verdict_on(request(kHost + kUpgrade + kKey + kVersion + offered)),
                 "no_subprotocol: it offered the sub-protocols "));
}

TEST_CASE("websocket: with allowed origins a foreign page is refused, and a client that is no browser is not") {
  const std::vector<std::string> origins{"https://app.example", "https://lab.example:8443"};
  const auto accepted = [&](const std::string& headers) {
    const auto text = request(kAll + headers);
    const auto parsed =
        websocket::parse_upgrade({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "/mqtt", origins);
    const auto* refused = std::get_if<websocket::Refused>(&parsed);
    if (refused) CHECK(refused->fault == websocket::Fault::bad_origin);
    return !refused;
  };
  CHECK(accepted(""));
  CHECK(accepted("Origin: https://app.example\r\n"));
  CHECK(accepted("origin: https://lab.example:8443\r\n"));
  for (const char* foreign : {"https://evil.example", "https://app.example.evil", "https://app.example:8443",
                              "http://app.example", "https://lab.example", "null", ""})
    CHECK_FALSE(accepted("Origin: " + std::string(foreign) + "\r\n"));
  CHECK_FALSE(accepted("Origin: https://app.example\r\nOrigin: https://app.example\r\n"));
}

TEST_CASE("websocket: a request that two HTTP parsers could read differently is refused") {
  CHECK(begins(verdict_on(request(kAll + "Content-Length: 5\r\n")), "bad_request: its request is none: it has a body"));
  CHECK(begins(verdict_on(request(kAll + "Content-Length: 0\r\nContent-Length: 5\r\n")), "bad_request: "));
  CHECK(begins(verdict_on(request(kAll + "Transfer-Encoding: chunked\r\n")), "bad_request: "));
  for (const auto& line : {" folded: x"s, "\tfolded"s, "no colon"s, ": no name"s, "Name : x"s, "Na\"me: x"s,
                           "Name: a\nb: c"s, "Name: a\rb"s, "Name: a\0b"s, "Name: \x7F"s, "N\xE4me: x"s})
    CHECK(begins(verdict_on(request(kAll + line + "\r\n")),
                 "bad_request: its request is none: a header line is malformed"));
  for (const auto& line : {"GET /mqtt HTTP/1.0"s, "GET /mqtt HTTP/2.0"s, "GET /mqtt  HTTP/1.1"s, "GET  /mqtt HTTP/1.1"s,
                           "GET /mqtt"s, "GET HTTP/1.1"s, "GET /m\0 HTTP/1.1"s, "GET /mqtt\tx HTTP/1.1"s})
    CHECK(begins(verdict_on(request(kAll, line)), "bad_request: its request is none: its first line"));
}

TEST_CASE("websocket: what can't become a request is refused at its first byte, and a request never exceeds 8 KiB") {
  for (const auto& text :
       {"POST /mqtt HTTP/1.1\r\n"s, "get /mqtt"s, "\x10\x10\0\4MQTT"s, "\r\nGET /"s, "PRI * HTTP/2.0\r\n\r\n"s})
    CHECK(begins(verdict_on(text), "bad_request: its request is none: it does not begin with \"GET \""));
  const std::string most =
      "Filler: " + std::string(websocket::kMaxHead - request(kAll + "Filler: \r\n").size(), 'x') + "\r\n";
  CHECK(request(kAll + most).size() == websocket::kMaxHead);
  CHECK(std::holds_alternative<websocket::Upgrade>(parse(request(kAll + most))));
  const auto longer = request(kAll + "x" + most);
  CHECK(std::holds_alternative<websocket::NeedMore>(parse(longer.substr(0, websocket::kMaxHead - 1))));
  CHECK(std::holds_alternative<websocket::Refused>(parse(longer.substr(0, websocket::kMaxHead))));
  CHECK(std::holds_alternative<websocket::Refused>(parse(longer)));
}

TEST_CASE("websocket: a refusal quotes a bounded part of the request") {
  const std::string huge(6000, 'x');
  CHECK(verdict_on(request(kAll, "GET /" + huge + " HTTP/1.1")).size() < 2 * websocket::kMaxQuoted + 100);
  CHECK(verdict_on(request(kHost + kUpgrade + kKey + kVersion + "Sec-WebSocket-Protocol: " + huge + "\r\n")).size() <
        2 * websocket::kMaxQuoted + 100);
}

TEST_CASE("websocket: each refusal has its status, and closes the connection") {
  using websocket::Fault;
  CHECK(websocket::refuse(Fault::not_found) ==
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  CHECK(begins(websocket::refuse(Fault::bad_request), "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
  CHECK(begins(websocket::refuse(Fault::no_subprotocol), "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
  CHECK(begins(websocket::refuse(Fault::bad_version),
               "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: "
               "Upgrade, close\r\n"));
}
