#include "relayd/handover/network.h"
#include "tests/unit/catch.h"

using relayd::Network;
using relayd::SocketAddress;

namespace {

bool contains(const char* network, const char* address) {
  INFO(network << " " << address);
  const auto parsed = Network::parse(network);
  REQUIRE(parsed);
  return parsed->contains(*SocketAddress::parse(address, 1));
}

}  // namespace

TEST_CASE("network: an address, or every address with the same prefix") {
  CHECK(contains("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(contains("192.0.2.7", "192.0.2.8"));
  CHECK(contains("10.0.0.0/8", "10.255.0.1"));
  CHECK_FALSE(contains("10.0.0.0/8", "11.0.0.1"));
  CHECK(contains("192.0.2.128/25", "192.0.2.129"));
  CHECK_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  CHECK(contains("0.0.0.0/0", "203.0.113.9"));
  CHECK_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  CHECK(contains("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(contains("::/0", "2001:db8::1"));
  CHECK(contains("2001:db8::1/128", "2001:db8::1"));
}

TEST_CASE("network: an IPv4 address on an IPv6 socket is the same address") {
  CHECK(contains("192.0.2.0/24", "::ffff:192.0.2.7"));
  CHECK(contains("::ffff:192.0.2.0/120", "192.0.2.7"));
}

TEST_CASE("network: what is malformed, or has bits beyond the prefix, is none") {
  for (const char* text : {"", "example", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/24x", "192.0.2/24",
                           "192.0.2.1/24", "2001:db8::/129", "2001:db8::1/32", "2001:db8::/32/1", "[2001:db8::]/32"}) {
    INFO(text);
    CHECK_FALSE(Network::parse(text));
  }
}
