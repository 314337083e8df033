// What the supervisor hands to its children arrives whole or not at all.
#include <sys/mman.h>
#include <unistd.h>

#include "relayd/handover/archive.h"
#include "relayd/handover/connector_plan.h"

#include "relayd/handover/findings.h"
#include "relayd/handover/plan.h"
#include "relayd/supervisor/config_file.h"
#include "tests/integration/harness/catch.h"

using relayd::BadArchive, relayd::Order, relayd::Plan;

namespace {

// No setting has its default value.
constexpr char kEverySetting[] = R"({
  "remote_hosts": ["broker.example", {"host": "other.example", "port": 8885, "server_name_indication": "x", "cacertfile": "y"}],
  "remote_port": 8884,
  "remote": {"strategy": "hash_clientid", "bind": ["192.0.2.1"],
             "proxy": {"type": "socks5", "host": "p", "port": 9, "credentials_file": "/p", "connect_timeout": "7s"}, "cacertfile": "a", "crlfile": "b", "verify": "verify_peer", "depth": 3, "partial_chain": true,
             "crl_check": "chain", "versions": ["tlsv1.3"], "server_name_indication": "c", "alpn": ["mqtt"],
             "groups": ["P-256", "X25519"], "proxy_protocol": true, "certificate": "file", "certs_dir": "/certs",
             "ciphers": ["TLS_AES_128_CCM_SHA256"], "connect_timeout": "3s", "connack_timeout": "4s"},
  "listener": {"bind": "127.0.0.1:8885", "certfile": "d", "cacertfile": "e", "crlfile": "f", "depth": 2,
               "partial_chain": true, "crl_check": "chain", "fail_if_no_peer_cert": false, "versions": ["tlsv1.2"],
               "groups": ["X25519"], "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"],
               "backlog": 7, "handshake_timeout": "6s", "idle_timeout": "7s", "max_connect_size": "1KB",
               "max_packet_size": "2KB", "max_clientid_len": 23, "max_record": "1KB", "max_connections": 99,
               "max_conn_rate": "5/m", "max_conn_rate_per_address": "4/m", "messages_rate": "6/s", "bytes_rate": "7KB/s", "send_timeout": "8s",
               "high_watermark": "64KB", "keepalive_multiplier": 2.5, "crl_disconnect": true,
               "proxy_protocol": true, "proxy_protocol_timeout": "9s", "trusted_proxies": ["10.0.0.0/8"],
               "client_id_from": "san", "no_key": "refuse",
               "websocket": {"mqtt_path": "/w", "max_frame_size": "3KB", "allowed_origins": ["https://a"]},
               "flapping_detect": {"max_count": 4, "window_time": "2m", "ban_time": "3m"}},
  "local": {"host": "127.0.0.2", "port": 1884, "proxy_protocol": true, "username": "{cn}",
            "tap": true, "tap_prefix": "t/", "tap_queue": "99KB",
            "tls": {"cacertfile": "/l", "crlfile": "/m", "depth": 4, "versions": ["tlsv1.3"], "alpn": ["mqtt"],
                    "server_name_indication": "l.example", "groups": ["P-256"]}}, "keyd_socket": "/s", "sign_timeout": "1s", "server_reference": "gw2:1", "shutdown_timeout": "2s",
  "retire_timeout": "9m", "require_sandbox": true, "reload_on_change": true,
  "workers": 3, "max_restarts": 4, "restart_window": "5s", "worker_watchdog": "6s", "worker_max_memory": "7MB",
  "resolve_interval": "8s", "max_generations": 9, "control_socket": "/c", "metrics": {"bind": "127.0.0.1:9999"},
  "log_level": "debug"})";

Plan full_plan() {
  Plan plan;
  plan.worker = 7;
  plan.sockets = {{9, true}};
  plan.config = relayd::parse_config(kEverySetting, "relayd.json", {});
  plan.config.listeners.front().route = relayd::Config::Listener::Route::local;  // contradicts no_key
  plan.pem = {{{{{"1", "a", "s"}, {"9", "i"}}, {"2", "b"}, {"3", "c"}}},
              {{"4", "d"}, {"8", "h"}},
              {"5", "e"},
              {"6", "f"},
              {"7", "g"},
              {"10", "j"}};
  return plan;
}

std::string bytes_of(int memfd) {
  std::string bytes(1 << 16, '\0');
  const ssize_t size = pread(memfd, bytes.data(), bytes.size(), 0);
  REQUIRE(size > 0);
  bytes.resize(static_cast<size_t>(size));
  return bytes;
}

common::Fd memfd_with(std::string_view bytes) {
  common::Fd fd(memfd_create("plan", MFD_CLOEXEC));
  REQUIRE(write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return fd;
}

}  // namespace

TEST_CASE("every setting of relayd.json reaches the worker") {
  const Plan plan = full_plan();
  const Plan arrived = Plan::from_memfd(plan.to_memfd().get());
  CHECK(arrived.config == plan.config);
  CHECK(arrived.worker == 7);
  CHECK(arrived.all_sockets() == 9);
  CHECK(arrived.sockets.at(0).passed);
  CHECK(arrived.pem.listeners.at(0).certificates.at(0).name() == "s: 1");
  CHECK(arrived.pem.listeners.at(0).certificates.at(1).text == "i");
  CHECK(arrived.pem.local_certificate.text == "j");
  CHECK(arrived.pem.remote_revoked.text == "e");
}

TEST_CASE("no worker can change the plan that its successor might get") {
  const auto fd = full_plan().to_memfd();
  CHECK(write(fd.get(), "x", 1) == -1);
  CHECK(ftruncate(fd.get(), 0) == -1);
}

TEST_CASE("a plan that is cut anywhere, or has a byte too many, is refused") {
  const std::string whole = bytes_of(full_plan().to_memfd().get());
  for (size_t size = 1; size < whole.size(); size++) {
    CAPTURE(size);
    CHECK_THROWS_AS(Plan::from_memfd(memfd_with(whole.substr(0, size)).get()), BadArchive);
  }
  CHECK_THROWS_AS(Plan::from_memfd(memfd_with(whole + "x").get()), BadArchive);
  CHECK_NOTHROW(Plan::from_memfd(memfd_with(whole).get()));
}

TEST_CASE("a count larger than its bytes is refused without a large allocation") {
  const std::string huge("\xff\xff\xff\xff", 4);
  CHECK_THROWS_AS(relayd::from_archive<std::string>(huge), BadArchive);
  CHECK_THROWS_AS(relayd::from_archive<std::vector<uint64_t>>(huge), BadArchive);
}

TEST_CASE("orders and revocations arrive as they were sent") {
  for (const auto what : {Order::What::retire, Order::What::close, Order::What::drain, Order::What::revoke})
    CHECK(Order::decode(Order{.what = what}.encode()).what == what);
  const Order sent{.what = Order::What::disconnect, .client_id = "a \"client\"", .request = 7};
  const auto disconnect = Order::decode(sent.encode());
  CHECK(disconnect.what == Order::What::disconnect);
  CHECK(disconnect.client_id == "a \"client\"");
  CHECK(disconnect.request == 7);
  const trust::Policy policy{.depth = 3, .partial_chain = true, .revocation = trust::Revocation::chain};
  const auto fd = relayd::Revocations{{{"lab", {"ca.pem", "CA"}, {"crl.pem", "CRL"}, policy}}}.to_memfd();
  const auto arrived = relayd::Revocations::from_memfd(fd.get());
  REQUIRE(arrived.listeners.size() == 1);
  CHECK(arrived.listeners[0].name == "lab");
  CHECK(arrived.listeners[0].revoked.text == "CRL");
  CHECK(arrived.listeners[0].policy == policy);
}

TEST_CASE("the log's levels arrive as they were sent, and nothing that is no level") {
  using common::log::Level;
  const relayd::LogLevels levels{.level = Level::warning, .clients = {{"a", Level::debug}, {"b", Level::error}}};
  relayd::Plan plan = full_plan();
  plan.log = levels;
  const auto planned = Plan::from_memfd(plan.to_memfd().get()).log;
  const auto ordered = Order::decode(Order{.what = Order::What::log, .log = levels}.encode()).log;
  for (const relayd::LogLevels& arrived : {planned, ordered}) {
    CHECK(arrived.level == Level::warning);
    REQUIRE(arrived.clients.size() == 2);
    CHECK(arrived.of("a") == Level::debug);
    CHECK(arrived.of("b") == Level::error);
    CHECK(arrived.of("c") == Level::warning);
    CHECK(arrived.of("") == Level::warning);
    CHECK(arrived.lowest() == Level::debug);
  }
  const auto none = static_cast<Level>(4);
  CHECK_THROWS_AS(Order::decode(Order{.what = Order::What::log, .log = {.level = none}}.encode()), BadArchive);
  CHECK_THROWS_AS(Order::decode(Order{.what = Order::What::log, .log = {.clients = {{"a", none}}}}.encode()),
                  BadArchive);
}

TEST_CASE("an order of an unknown kind is refused") {
  std::string order = Order{.what = Order::What::retire}.encode();
  order[0] = 99;
  CHECK_THROWS_AS(Order::decode(order), BadArchive);
}

TEST_CASE("a connector's plan and its report of names arrive as they were sent") {
  relayd::ConnectorPlan plan;
  plan.brokers = {{"broker.example", 8883}, {"other.example", 8884}};
  plan.strategy = relayd::Config::Strategy::round_robin;
  plan.sources = {"192.0.2.1", "2001:db8::1"};
  plan.proxy = {{relayd::Config::Proxy::Type::socks5, {"proxy.example", 1080}, "/p", common::Milliseconds(5)},
                "user:password"};
  plan.local = relayd::Config::Endpoint{"127.0.0.1", 1883};
  plan.certs_dir = "/certs";
  plan.keyd_socket = "/s";
  plan.series = 9;
  plan.watchdog = common::Milliseconds(5);
  plan.known = {{"192.0.2.1:8883\n", ""}, ""};
  const auto arrived = relayd::ConnectorPlan::from_memfd(plan.to_memfd().get());
  CHECK(arrived.brokers == plan.brokers);
  CHECK(arrived.strategy == plan.strategy);
  CHECK(arrived.sources == plan.sources);
  REQUIRE(arrived.proxy);
  CHECK(arrived.proxy->settings == plan.proxy->settings);
  CHECK(arrived.proxy->credentials == "user:password");
  CHECK(arrived.remote_places() == std::vector{plan.proxy->settings.at});
  CHECK(arrived.local == plan.local);
  CHECK(arrived.certs_dir == "/certs");
  CHECK(arrived.keyd_socket == "/s");
  CHECK(arrived.series == 9);
  CHECK(arrived.watchdog == common::Milliseconds(5));
  CHECK(arrived.known.remote == plan.known.remote);

  const std::string report = relayd::NamesReport{"broker.example", plan.known}.encode();
  CHECK(relayd::NamesReport::decode(report).unresolved == "broker.example");
  CHECK(relayd::NamesReport::decode(report).known.remote == plan.known.remote);
  CHECK_THROWS_AS(relayd::NamesReport::decode(report + "x"), BadArchive);
  CHECK_THROWS_AS(relayd::NamesReport::decode(report.substr(0, report.size() - 1)), BadArchive);
  const std::string long_list(relayd::KnownAddresses::kMost + 1, 'x');
  const std::vector<std::string> too_many(relayd::Config::kMaxBrokers + 1);
  for (const relayd::KnownAddresses& known :
       {relayd::KnownAddresses{{long_list}, ""}, {{"", long_list}, ""}, {{}, long_list}, {too_many, ""}})
    CHECK_THROWS_AS(relayd::NamesReport::decode(relayd::NamesReport{"", known}.encode()), BadArchive);
}

TEST_CASE("a connector takes only addresses with its own port from its predecessor") {
  const std::vector addresses{*relayd::SocketAddress::parse("192.0.2.1", 8883),
                              *relayd::SocketAddress::parse("2001:db8::1", 8883)};
  CHECK(relayd::addresses_in(relayd::known_as(addresses), 8883) == addresses);
  CHECK(relayd::addresses_in(relayd::known_as(addresses), 8884).empty());
  CHECK(relayd::addresses_in("\nx\n192.0.2.1\n192.0.2.1:22\n\n192.0.2.1:8883", 8883) ==
        std::vector{*relayd::SocketAddress::parse("192.0.2.1", 8883)});
}

TEST_CASE("the inspector's findings arrive as it wrote them") {
  relayd::Findings findings;
  findings.own_spkis.emplace_back()[31] = 9;
  findings.concerns.push_back({trust::Concern::Kind::more, "f", "s", "p", "a", true});
  findings.expiries.push_back({trust::Expiry::Kind::crl, "f", "s", 7});
  const auto arrived = relayd::Findings::decode(findings.encode());
  REQUIRE(arrived.expiries.size() == 1);
  CHECK(arrived.expiries[0].at == 7);
  CHECK(arrived.problem.empty());
  CHECK(arrived.own_spkis == findings.own_spkis);
  REQUIRE(arrived.concerns.size() == 1);
  CHECK(arrived.concerns[0].text() == "f: s p; a");
  CHECK(arrived.concerns[0].harmless);
  CHECK(arrived.concerns[0].kind == trust::Concern::Kind::more);
  CHECK_THROWS_AS(relayd::Findings::decode(""), BadArchive);
}
