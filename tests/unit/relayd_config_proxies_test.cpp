// The settings of load balancers in front of the listener.
#include "tests/unit/relayd_config_support.h"

using namespace relayd_config;

TEST_CASE("config: the PROXY protocol is off by default, and needs the load balancers' addresses") {
  const Config smallest = relay_config(kSmallest);
  CHECK_FALSE(smallest.listeners.front().proxy_protocol);
  CHECK(smallest.listeners.front().proxy_protocol_timeout == std::chrono::seconds(3));

  const auto listener = relay_config(with_listener(R"("proxy_protocol": true, "proxy_protocol_timeout": "1s",
                              "trusted_proxies": ["192.0.2.10", "10.0.0.0/8", "2001:db8::/32"])"))
                            .listeners.front();
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

TEST_CASE("config: any client id is admitted, and a device without a key is local, unless it is set otherwise") {
  const auto smallest = relay_config(kSmallest).listeners.front();
  CHECK(smallest.client_id_from == Config::ClientIdFrom::any);
  CHECK(smallest.local_without_key);
  CHECK(relay_config(with_listener(R"("client_id_from": "cn")")).listeners.front().client_id_from ==
        Config::ClientIdFrom::cn);
  CHECK(relay_config(with_listener(R"("client_id_from": "san")")).listeners.front().client_id_from ==
        Config::ClientIdFrom::san);
  CHECK_FALSE(relay_config(with_listener(R"("no_key": "refuse")")).listeners.front().local_without_key);
  CHECK(contains(error_of(with_listener(R"("client_id_from": "dn")")),
                 "listener.client_id_from: found \"dn\"; allowed: any, cn, san"));
  CHECK(contains(error_of(with_listener(R"("no_key": "drop")")),
                 "listener.no_key: found \"drop\"; allowed: local, refuse"));
}

TEST_CASE("config: the local broker may be reached over TLS and be told who the device is") {
  const auto plain = relay_config(kSmallest).local;
  REQUIRE(plain);
  CHECK_FALSE(plain->tls);
  CHECK_FALSE(plain->proxy_protocol);
  CHECK(plain->username == "");
  CHECK_FALSE(relay_config(kSmallest).remote.proxy_protocol);
  CHECK(relay_config(with_remote(R"("proxy_protocol": true)")).remote.proxy_protocol);

  const auto local = relay_config(with_local(R"("proxy_protocol": true, "username": "{cn}",
                                                "tls": { "cacertfile": "/ca.pem", "versions": ["tlsv1.3"] })"))
                         .local;
  CHECK(local->proxy_protocol);
  CHECK(local->username == "{cn}");
  REQUIRE(local->tls);
  CHECK(local->tls->cacertfile == "/ca.pem");
  CHECK(local->tls->server_name == "127.0.0.1");  // host
  CHECK(local->tls->versions == relayd::tls::Versions::tls13);
  CHECK(relay_config(with_local(R"("tls": { "cacertfile": "/ca.pem", "server_name_indication": "b.example" })"))
            .local->tls->server_name == "b.example");

  const auto tapped = relay_config(with_local(R"("tap": true, "tap_prefix": "site7/", "tap_queue": "64KB")")).local;
  CHECK_FALSE(plain->tap);
  CHECK(plain->tap_queue == 1024 * 1024);
  CHECK(tapped->tap);
  CHECK(tapped->tap_prefix == "site7/");
  CHECK(tapped->tap_queue == 64 * 1024);
  CHECK(contains(error_of(with_local(R"("tap_prefix": "a/#")")),
                 "local.tap_prefix: found \"a/#\"; expected the beginning"));
  CHECK(contains(error_of(with_local(R"("tap_queue": "63KB")")), "local.tap_queue: found 64512 bytes; expected"));

  CHECK(contains(error_of(with_local(R"("tls": {})")), "local.tls.cacertfile: missing"));
  CHECK(contains(error_of(with_local(R"("tls": { "verify": "verify_none", "certfiles": "/a" })")),
                 "local.tls.certfiles: unknown key"));
  CHECK(contains(error_of(with_local(R"("username": "{name}")")),
                 "local.username: found \"{name}\": an unknown placeholder; allowed: {clientid}, {cn}"));
}

TEST_CASE("config: server_reference is one word of at most 96 bytes") {
  const auto with = [](const std::string& text) {
    return edited("\"workers\": 2", "\"workers\": 2, \"server_reference\": \"" + text + "\"");
  };
  CHECK(relay_config(kSmallest).server_reference == "");
  CHECK(relay_config(with("gw2.example:8883")).server_reference == "gw2.example:8883");
  CHECK(contains(error_of(with("gw2 gw3")),
                 "server_reference: found \"gw2 gw3\"; expected another gateway's \"HOST:PORT\""));
  CHECK(contains(error_of(with(std::string(97, 'x'))), "at most 96 bytes"));
}
