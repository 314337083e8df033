// The PROXY protocol on the devices' side: behind a load balancer, a device is still itself.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/haproxy.h"
#include "tests/integration/harness/world.h"

using namespace harness;
using namespace std::string_literals;

namespace {

constexpr uint16_t kInFront = 18443;

// HAProxy connects to the relay from this test's own address; devices and others on this machine from 127.0.0.1.
Json behind_balancer(const Json& more = Json::object()) {
  Json listener = {{"proxy_protocol", true}, {"trusted_proxies", {own_address()}}};
  listener.merge_patch(more);
  return {{"listener", listener}, {"log_level", "debug"}};
}

std::string balancer(const std::string& options) {
  return "listen devices\n bind " + own_address() + ":" + std::to_string(kInFront) + "\n server relay " +
         Endpoint{own_address(), ports::relay}.text() + " source " + own_address() + " " + options + "\n";
}

std::string address_of(const TlsStream& stream) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(getsockname(stream.fd(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  char text[INET_ADDRSTRLEN];
  return std::string(inet_ntop(AF_INET, &address.sin_addr, text, sizeof text)) + ":" +
         std::to_string(ntohs(address.sin_port));
}

// A connection to the relay from the balancer's address, on which the test writes the header itself.
TlsStream from_balancer(const Identity& identity, const std::string& header) {
  const auto context = TlsContext::client(&identity, authorities().root);
  auto stream = TlsStream::open({own_address(), ports::relay}, context, patience());
  REQUIRE(::send(stream.fd(), header.data(), header.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(header.size()));
  return stream;
}

}  // namespace

TEST_CASE("proxy protocol: behind HAProxy, log and audit name the device and not the load balancer") {
  const std::string options = GENERATE("send-proxy"s, "send-proxy-v2"s, "send-proxy-v2 proxy-v2-options crc32c"s);
  INFO(options);
  World world({.relayd = behind_balancer()});
  Haproxy haproxy(balancer(options), world.directory / "haproxy");
  const auto identity = device_identity("p256", 1);
  world.give_key("dev1", identity);
  Device device(identity, {own_address(), kInFront});
  device.join("dev1");
  device.publish("any/thing", "relayed", 1);
  const std::string address = address_of(device.tls());
  CHECK(address.substr(0, 10) == "127.0.0.1:");
  const auto up = world.relay().log().wait_json([](const Json& line) { return line.value("msg", "") == "session up"; },
                                                "the session");
  CHECK(up.at("device") == address);
  for (const std::string event : {"lookup", "sign"}) {
    const auto line = world.relay().audit().wait_json(
        [&](const Json& j) { return j.value("event", "") == event && j.value("client_id", "") == "dev1"; }, event);
    CHECK(line.at("device") == address);
  }
}

TEST_CASE("proxy protocol: HAProxy's health checks are probes, and not failures") {
  const std::string options = GENERATE("send-proxy check inter 50"s, "send-proxy-v2 check inter 50"s);
  World world({.relayd = behind_balancer(), .remote = RemoteKind::none, .local = false});
  const size_t mark = world.relay().log().mark();  // a sanitizer's build warns about its sandbox before it serves
  Haproxy haproxy(balancer(options), world.directory / "haproxy");
  for (int i = 0; i < 3; i++) world.relay().log().wait_text("a TCP probe", world.relay().log().mark());
  CHECK(world.relay().log().count_text("\"level\":\"warning\"", mark) == 0);
}

TEST_CASE("proxy protocol: who is not a trusted proxy can't connect, whatever it sends") {
  World world({.relayd = behind_balancer({{"trusted_proxies", {"192.0.2.0/24", "2001:db8::/32"}}}),
               .remote = RemoteKind::none,
               .local = false});
  const auto identity = device_identity("p256", 1);
  const size_t mark = world.relay().log().mark();
  auto stream = from_balancer(identity, "PROXY TCP4 192.0.2.7 192.0.2.1 12345 8883\r\n");
  CHECK_THROWS_AS(stream.handshake(), Failure);
  const auto closed = world.relay().session_closed(mark);
  CHECK(closed.at("why").get<std::string>().starts_with("not in listener.trusted_proxies"));
  CHECK(closed.at("device").get<std::string>().starts_with("127.0.0.1:"));
}

TEST_CASE("proxy protocol: a connection without a valid header is refused, and the log says why") {
  World world({.relayd = behind_balancer({{"trusted_proxies", {"127.0.0.1"}}, {"proxy_protocol_timeout", "500ms"}}),
               .remote = RemoteKind::none,
               .local = false});
  const auto identity = device_identity("p256", 1);
  const auto [header, why] = GENERATE(table<std::string, std::string>(
      {{"", "it began with TLS; switch the PROXY protocol on at the load balancer"},
       {"PROXY TCP4 192.0.2.7 192.0.2.1 12345\r\n", "it does not have two addresses"},
       {"\r\n\r\n\0\r\nQUIT\n\x21\x12\x00\x00"s, "it is for a connection that is not TCP"},
       {"GET / HTTP/1.1\r\n\r\n", "it does not begin as one of version 1 or 2 does"}}));
  const size_t mark = world.relay().log().mark();
  auto stream = from_balancer(identity, header);
  CHECK_THROWS_AS(stream.handshake(), Failure);
  CHECK(world.relay().session_closed(mark).at("why").get<std::string>().find(why) != std::string::npos);
}

TEST_CASE("proxy protocol: a header that does not end is refused after proxy_protocol_timeout") {
  World world({.relayd = behind_balancer({{"trusted_proxies", {"127.0.0.1"}}, {"proxy_protocol_timeout", "300ms"}}),
               .remote = RemoteKind::none,
               .local = false});
  const auto identity = device_identity("p256", 1);
  const std::string header = GENERATE(""s, "PROXY TCP4 192.0.2.7 "s, "\r\n\r\n\0\r\nQUIT\n\x21"s);
  const size_t mark = world.relay().log().mark();
  auto stream = from_balancer(identity, header);
  CHECK(world.relay().session_closed(mark).at("why") == "sent no whole PROXY header within proxy_protocol_timeout");
}

TEST_CASE("proxy protocol: header and handshake may come in one segment, or a byte at a time") {
  World world({.relayd = behind_balancer({{"trusted_proxies", {"127.0.0.1"}}})});
  const auto identity = device_identity("p256", 1);
  world.give_key("dev1", identity);
  const std::string header = "PROXY TCP6 2001:db8::7 2001:db8::1 12345 8883\r\n";
  const bool at_once = GENERATE(true, false);
  auto stream = from_balancer(identity, at_once ? "" : header.substr(0, header.size() - 1));
  if (at_once) {
    // The kernel joins what is written while the socket is corked: header and ClientHello arrive together.
    const int on = 1, off = 0;
    setsockopt(stream.fd(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    REQUIRE(::send(stream.fd(), header.data(), header.size(), MSG_NOSIGNAL) > 0);
    stream.begin_handshake();
    setsockopt(stream.fd(), IPPROTO_TCP, TCP_CORK, &off, sizeof off);
  } else {
    REQUIRE(::send(stream.fd(), "\n", 1, MSG_NOSIGNAL) == 1);
  }
  stream.handshake();
  Device device(std::move(stream));
  device.join("dev1");
  const auto up = world.relay().log().wait_json([](const Json& line) { return line.value("msg", "") == "session up"; },
                                                "the session");
  CHECK(up.at("device") == "[2001:db8::7]:12345");
}

TEST_CASE("proxy protocol: a header where none is expected is named, with the setting") {
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  const size_t mark = world.relay().log().mark();
  auto stream = from_balancer(identity, "PROXY TCP4 192.0.2.7 192.0.2.1 12345 8883\r\n");
  CHECK_THROWS_AS(stream.handshake(), Failure);
  const auto why = world.relay().session_closed(mark).at("why").get<std::string>();
  CHECK(why.find("listener.proxy_protocol is not true: set it and listener.trusted_proxies") != std::string::npos);
}
