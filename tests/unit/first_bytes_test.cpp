// The protocol that a client speaks at the TLS port is recognised by its first bytes.
#include "relayd/session/first_bytes.h"

#include "tests/unit/catch.h"

using namespace relayd;

namespace {

std::span<const uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
Speaks speaks(std::string_view text) { return what_speaks(bytes(text)); }

}  // namespace

TEST_CASE("first bytes: TLS is TLS, whole or in pieces, and silence is silence") {
  CHECK(speaks("") == Speaks::nothing);
  CHECK(speaks("\x16") == Speaks::tls);
  CHECK(speaks("\x16\x03\x01\x02") == Speaks::tls);
  CHECK(speaks({"\x15\x03\x03\x00\x02\x02\x28", 7}) == Speaks::tls);
  CHECK(speaks("\x16\x10") == Speaks::other);
}

TEST_CASE("first bytes: plain MQTT of every version is named, with the remedy") {
  CHECK(speaks({"\x10\x10\0\4MQTT\4\2\0\x3c\0\4dev", 16}) == Speaks::mqtt);
  CHECK(speaks({"\x10\x10\0\4MQTT\5\2\0\x3c\0\4dev", 16}) == Speaks::mqtt);
  CHECK(speaks({"\x10\x10\0\6MQIsdp\3\2\0\x3c\0\4", 16}) == Speaks::mqtt);
  CHECK(speaks({"\x10\x90\x03\0\4MQTT\5\2", 11}) == Speaks::mqtt);  // a remaining length of two bytes
  CHECK(speaks("\x10") == Speaks::mqtt);
  CHECK(speaks({"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16}) == Speaks::other);
  CHECK(named(Speaks::mqtt, bytes("\x10")).find("switch TLS on in the device") != std::string::npos);
}

TEST_CASE("first bytes: HTTP, SSH and both versions of the PROXY protocol are named") {
  for (const char* text : {"GET / HTTP/1.1\r\n", "POST /mqtt HTTP", "HEAD / HTTP/1.0", "CONNECT a:1 HTT",
                           "OPTIONS * HTTP/1", "PRI * HTTP/2.0\r\n"}) {
    CAPTURE(text);
    CHECK(speaks(text) == Speaks::http);
  }
  CHECK(speaks("SSH-2.0-OpenSSH_") == Speaks::ssh);
  CHECK(speaks("PROXY TCP4 192.0") == Speaks::proxy);
  const std::string_view v2("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16);
  CHECK(speaks(v2) == Speaks::proxy);
  CHECK(speaks(v2.substr(0, 8)) == Speaks::proxy);  // no more bytes had arrived when TLS failed
  CHECK(speaks(v2.substr(0, 5)) == Speaks::proxy);
  CHECK(speaks("\r\n\r\n") == Speaks::other);
  CHECK(named(Speaks::proxy, bytes("PROXY TCP4")).find("version 1") != std::string::npos);
  CHECK(named(Speaks::proxy, bytes(v2)).find("version 2") != std::string::npos);
  CHECK(named(Speaks::proxy, bytes(v2)).find("send-proxy") != std::string::npos);
}

TEST_CASE("first bytes: unknown bytes are shown in hex, never as they are") {
  CHECK(speaks("\x1b[2J") == Speaks::other);
  CHECK(named(Speaks::other, bytes("\x1b[2J")).find("the bytes 1b5b324a;") != std::string::npos);
  for (int byte = 0; byte < 256; byte++) {
    const std::string one(1, static_cast<char>(byte));
    const Speaks found = speaks(one);
    if (found < Speaks::tls) CHECK(named(found, bytes(one)) != "");
  }
}

TEST_CASE("first bytes: a server that answers a ClientHello in plain MQTT, HTTP or SSH is named, with the remedy") {
  const auto answer = [](std::string_view text) { return named_answer(bytes(text), "remote_port"); };
  CHECK(answer("").empty());
  CHECK(answer("\x16\x03\x03").empty());
  CHECK(answer("\x15\x03\x03").empty());
  CHECK(answer({"\x20\x02\0\5", 4}).find("remote_port must be the broker's port for MQTT over TLS") !=
        std::string::npos);
  CHECK(answer("HTTP/1.1 400 Bad").find("a web server or a proxy is there") != std::string::npos);
  CHECK(answer("<html><head>").find("HTTP") != std::string::npos);
  CHECK(answer("SSH-2.0-OpenSSH").find("SSH") != std::string::npos);
  CHECK(answer("220 mail\x1b").find("the bytes 323230206d61696c1b;") != std::string::npos);
}
