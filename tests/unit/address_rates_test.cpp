// One address can't take more than its rate, and a flood of others can't make the table forget it.
#include "relayd/session/address_rates.h"

#include "tests/unit/catch.h"

using relayd::AddressRates, relayd::SipKey, relayd::SocketAddress;
using std::chrono::seconds;

namespace {

constexpr SipKey kKey{1, 2, 3};

SocketAddress at(const std::string& host, uint16_t port = 1) { return *SocketAddress::parse(host, port); }

int admitted(AddressRates& rates, const SocketAddress& address, uint64_t now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; i++) count += rates.admit(address, now);
  return count;
}

}  // namespace

TEST_CASE("address rates: an address has one period's burst, then its rate, and refusals don't count") {
  AddressRates rates({10, seconds(1)}, kKey);
  CHECK(admitted(rates, at("192.0.2.1"), 1000, 100) == 10);
  CHECK(admitted(rates, at("192.0.2.1", 2), 1000, 1) == 0);  // the port does not matter
  CHECK(admitted(rates, at("192.0.2.2"), 1000, 100) == 10);
  CHECK(admitted(rates, at("192.0.2.1"), 1100, 100) == 1);
  CHECK(admitted(rates, at("192.0.2.1"), 5000, 100) == 10);
}

TEST_CASE("address rates: an IPv6 /64 is one address, and a mapped IPv4 address is that IPv4 address") {
  AddressRates rates({2, seconds(60)}, kKey);
  CHECK(admitted(rates, at("2001:db8::1"), 0, 2) == 2);
  CHECK(admitted(rates, at("2001:db8::ffff:0:1"), 0, 1) == 0);
  CHECK(admitted(rates, at("2001:db8:0:1::1"), 0, 1) == 1);
  CHECK(admitted(rates, at("192.0.2.1"), 0, 2) == 2);
  CHECK(admitted(rates, at("::ffff:192.0.2.1"), 0, 1) == 0);
  CHECK(admitted(rates, at("::ffff:192.0.2.2"), 0, 1) == 1);
}

TEST_CASE("address rates: without a rate every connection is admitted") {
  AddressRates rates({}, kKey);
  CHECK(admitted(rates, at("192.0.2.1"), 0, 1000) == 1000);
}

TEST_CASE("address rates: a scan from a million addresses does not make the table forget one that is over its rate") {
  AddressRates rates({100, seconds(60)}, kKey);
  REQUIRE(admitted(rates, at("192.0.2.1"), 1000, 200) == 100);
  SocketAddress scan = at("10.0.0.0");
  for (uint32_t i = 0; i < 1'000'000; i++) {
    scan.storage.v4.sin_addr.s_addr = htonl(0x0a000000 + i);
    rates.admit(scan, 1000);
  }
  CHECK(admitted(rates, at("192.0.2.1"), 1000, 10) == 0);
}
