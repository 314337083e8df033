// The settings of load balancers in front of the listener.
#include "tests/unit/relayd_config_support.h"

using namespace relayd_config;

TEST_CASE("config: the PROXY protocol is off by default, and needs the load balancers' addresses") {
  const Config smallest = relay_config(kSmallest);
  CHECK_FALSE(smallest.listener.proxy_protocol);
  CHECK(smallest.listener.proxy_protocol_timeout == std::chrono::seconds(3));

  const auto listener = relay_config(with_listener(R"("proxy_protocol": true, "proxy_protocol_timeout": "1s",
                              "trusted_proxies": ["192.0.2.10", "10.0.0.0/8", "2001:db8::/32"])"))
                            .listener;
  CHECK(listener.proxy_protocol);
  CHECK(listener.proxy_protocol_timeout == std::chrono::seconds(1));
  CHECK(listener.trusted_proxies.size() == 3);
  CHECK(listener.trusted_proxies.at(1) == relayd::Network::parse("10.0.0.0/8"));

  CHECK(contains(error_of(with_listener(R"("proxy_protocol": true)")),
                 "listener.trusted_proxies: missing or empty, but proxy_protocol is true; expected the addresses"));
  CHECK(contains(error_of(with_listener(R"("trusted_proxies": ["10.0.0.0/8"])")),
                 "listener.trusted_proxies: set, but proxy_protocol is not true"));
  CHECK(contains(error_of(with_listener(R"("proxy_protocol": true, "trusted_proxies": ["10.0.0.1/8"])")),
                 "listener.trusted_proxies: found \"10.0.0.1/8\"; expected an address or a network without host bits"));
}
