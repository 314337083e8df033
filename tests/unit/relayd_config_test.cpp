// relayd.json: the smallest file works, and every error names its place and the remedy.
#include "relayd/mqtt/types.h"
#include "relayd/supervisor/restart_policy.h"
#include "tests/unit/relayd_config_support.h"

using namespace relayd_config;

TEST_CASE("max_record has the bounds of a TLS record, and remote.groups the names of key exchanges") {
  const auto listener = with_listener, remote = with_remote;
  CHECK(parse_config(kSmallest, "relayd.json", {}).listeners.front().max_record == 16384);
  CHECK(parse_config(listener(R"("max_record": "512B")"), "relayd.json", {}).listeners.front().max_record == 512);
  CHECK(contains(error_of(listener(R"("max_record": "511B")")), "listener.max_record: found 511 bytes; expected 512"));
  CHECK(contains(error_of(listener(R"("max_record": "17KB")")), "listener.max_record: found 17408 bytes"));

  CHECK(parse_config(kSmallest, "relayd.json", {}).remote.groups.front() == relayd::tls::group_named("X25519MLKEM768"));
  const auto chosen = parse_config(remote(R"("groups": ["secp256r1", "X25519"])"), "relayd.json", {}).remote.groups;
  CHECK(chosen == std::vector<uint16_t>{23, 29});  // IANA's numbers
  CHECK(
      contains(error_of(remote(R"("groups": ["P-255"])")), "remote.groups: found \"P-255\"; allowed: X25519MLKEM768"));
  CHECK(contains(error_of(remote(R"("groups": [])")), "remote.groups: empty"));
  CHECK(contains(error_of(remote(R"("groups": ["P-256", "secp256r1"])")), "found \"secp256r1\" twice"));
}

TEST_CASE("cipher suites go by their IANA and OpenSSL names, and an error names what is allowed") {
  const auto listener = [](const std::string& more) {
    return edited(R"("verify": "verify_peer")", R"("verify": "verify_peer", )" + more);
  };
  const auto ciphers = [&](const std::string& more) {
    return parse_config(listener(more), "relayd.json", {}).listeners.front();
  };
  const auto usual = parse_config(kSmallest, "relayd.json", {});
  CHECK(usual.listeners.front().ciphers ==
        std::vector<uint16_t>{0x1302, 0x1301, 0x1303, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0xcca9, 0xcca8});
  CHECK(usual.remote.ciphers == usual.listeners.front().ciphers);
  CHECK(usual.listeners.front().groups == usual.remote.groups);
  CHECK(ciphers(R"("ciphers": ["TLS_AES_128_CCM_8_SHA256", "ECDHE-ECDSA-AES128-CCM8"])").ciphers ==
        std::vector<uint16_t>{0x1305, 0xc0ae});

  CHECK(contains(error_of(listener(R"("ciphers": ["AES128-GCM-SHA256"])")),
                 "listener.ciphers: found \"AES128-GCM-SHA256\"; allowed, also by their OpenSSL names: "
                 "TLS_AES_256_GCM_SHA384, "));
  CHECK(contains(error_of(listener(R"("ciphers": [""])")), "listener.ciphers: found \"\"; allowed"));
  CHECK(contains(error_of(listener(R"("ciphers": [])")), "listener.ciphers: empty; allowed"));
  CHECK(contains(error_of(listener(R"("ciphers": ["ECDHE-RSA-AES128-GCM-SHA256",
                                                  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"])")),
                 "found \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\" twice"));
  CHECK(contains(error_of(listener(R"("versions": ["tlsv1.3"], "ciphers": ["ECDHE-ECDSA-AES128-CCM8"])")),
                 "listener.ciphers: none of them is for TLS 1.3, the only one of `versions`"));
}

TEST_CASE("several listeners have names and addresses of their own, and errors name the listener") {
  const auto listeners = [](const std::string& them) {
    std::string text = edited("\"listener\": {", "\"listeners\": {" + them + ", \"x\": {");
    const size_t end = text.find("\"keyd_socket\"");
    return text.replace(text.rfind('}', end), 1, "}}");
  };
  const std::string lab = R"("lab": {"bind": "[::]:8884", "certfile": "c", "cacertfile": "a", "route": "local"})";
  const Config config = parse_config(listeners(lab), "relayd.json", {});
  REQUIRE(config.listeners.size() == 2);
  CHECK(config.listeners[0].name == "lab");
  CHECK(config.listeners[0].route == Config::Listener::Route::local);
  CHECK(config.listeners[0].setting_of("certfile") == "listeners.lab.certfile");
  CHECK(config.listeners[1].name == "x");
  CHECK(config.listeners[1].route == Config::Listener::Route::by_key);
  const Config one = parse_config(kSmallest, "relayd.json", {});
  REQUIRE(one.listeners.size() == 1);
  CHECK(one.listeners[0].name == "default");
  CHECK(one.listeners[0].setting_of("certfile") == "listener.certfile");

  CHECK(contains(error_of(listeners(R"("lab": {"bind": "[::]:1", "certfile": "c", "cacertfile": "a", "route": "local",
                                               "no_key": "refuse"})")),
                 "listeners.lab.no_key: found \"refuse\", but `route` is \"local\""));
  CHECK(contains(error_of(listeners(R"("lab": {"bind": "0.0.0.0:8884"})")), "listeners.lab.certfile: missing"));
  CHECK(contains(error_of(listeners(R"("lab": {"bind": "0.0.0.0:8883", "certfile": "c", "cacertfile": "a"})")),
                 "listeners.x.bind: found the address of listeners.lab"));
  CHECK(contains(error_of(listeners(R"("Lab": {"certfile": "c", "cacertfile": "a"})")),
                 "listeners: found the name \"Lab\"; expected 1 to 32 of the characters a-z, 0-9, _ and -"));
  CHECK(contains(error_of(edited("\"listener\": {", "\"listeners\": {}, \"listener\": {")),
                 "listeners: found beside `listener`"));
  CHECK(contains(error_of(edited("\"listener\": {", "\"listenerz\": {")), "listener: missing"));
  std::string many;
  for (int i = 0; i < 16; i++)
    many += (i ? ", " : "") + ("\"l" + std::to_string(i)) +
            R"(": {"certfile": "c", "cacertfile": "a", "bind": "[::]:)" + std::to_string(9000 + i) + "\"}";
  CHECK(contains(error_of(listeners(many)), "listeners: found 17 listeners; expected 1 to 16"));
  CHECK(contains(error_of(listeners(R"("lab": {"certfile": "c", "cacertfile": "a", "bind": "[::]:1",
                                               "max_connections": 1})")),
                 "listeners.lab.max_connections: found 1, but there are 2 workers"));
}

TEST_CASE("the smallest relayd configuration has the documented defaults") {
  const Config config = parse_config(kSmallest, "relayd.json", {});
  REQUIRE(config.brokers.size() == 1);
  CHECK(config.brokers[0] ==
        Config::Broker{{"broker.example", 8883}, "broker.example", "/etc/mqtt-relay/remote-ca.pem"});
  CHECK(config.remote.strategy == Config::Strategy::failover);
  CHECK(config.remote.verify_peer);
  CHECK(config.listeners.front().verify_peer);
  CHECK(config.listeners.front().fail_if_no_peer_cert);
  CHECK(config.listeners.front().handshake_timeout == std::chrono::seconds(15));
  CHECK(config.listeners.front().idle_timeout == std::chrono::seconds(15));
  CHECK(config.remote.connect_timeout == std::chrono::seconds(10));
  CHECK(config.remote.connack_timeout == std::chrono::seconds(20));
  CHECK(config.sign_timeout == std::chrono::seconds(5));
  CHECK(config.listeners.front().max_packet_size == mqtt::kMaxPacketSize);
  CHECK(config.listeners.front().max_connect_size == 256 * 1024);
  CHECK(config.local->broker.port == 1883);
  CHECK(config.workers == 2);
}

TEST_CASE("the relayd configuration sets how chains are validated") {
  const Config config = parse_config(kSmallest, "relayd.json", {});
  for (const trust::Policy& policy : {config.listeners.front().policy, config.remote.policy}) {
    CHECK(policy.depth == 30);
    CHECK_FALSE(policy.partial_chain);
    CHECK(policy.revocation == trust::Revocation::leaf);
  }
  const Config other = parse_config(
      edited("\"verify\"", R"("depth": 3, "partial_chain": true, "crl_check": "chain", "verify")"), "relayd.json", {});
  CHECK(other.listeners.front().policy.depth == 3);
  CHECK(other.listeners.front().policy.partial_chain);
  CHECK(other.listeners.front().policy.revocation == trust::Revocation::chain);
  CHECK(contains(error_of(edited("\"verify\"", "\"depth\": 31, \"verify\"")), "listener.depth: found 31"));
  CHECK(contains(error_of(edited("\"verify\"", "\"crl_check\": \"all\", \"verify\"")), "allowed: leaf, chain"));
}

TEST_CASE(
    "remote_hosts takes names, addresses and objects, whose defaults are remote_port and the settings of remote") {
  const auto with = [](const std::string& hosts, const std::string& more = "") {
    const std::string text = edited("\"remote_host\": \"broker.example\"", "\"remote_hosts\": " + hosts);
    const std::string_view section = "\"remote\": {";
    return more.empty() ? text : std::string(text).replace(text.find(section) + section.size(), 0, more + ", ");
  };
  const Config config =
      parse_config(with(R"(["a.example", "b.example:1", "2001:db8::1", "[2001:db8::2]:2", {"host": "c.example"},
               {"host": "d.example", "port": 3, "server_name_indication": "d", "cacertfile": "/d.pem"}])",
                        R"("strategy": "round_robin")"),
                   "relayd.json", {});
  const std::string ca = "/etc/mqtt-relay/remote-ca.pem";
  CHECK(config.brokers == std::vector<Config::Broker>{{{"a.example", 8883}, "a.example", ca},
                                                      {{"b.example", 1}, "b.example", ca},
                                                      {{"2001:db8::1", 8883}, "2001:db8::1", ca},
                                                      {{"2001:db8::2", 2}, "2001:db8::2", ca},
                                                      {{"c.example", 8883}, "c.example", ca},
                                                      {{"d.example", 3}, "d", "/d.pem"}});
  CHECK(config.remote.strategy == Config::Strategy::round_robin);
  const Config named = parse_config(
      with(R"(["a", {"host": "b", "server_name_indication": "own"}])", R"("server_name_indication": "shared")"),
      "relayd.json", {});
  CHECK(named.brokers[0].server_name == "shared");
  CHECK(named.brokers[1].server_name == "own");

  CHECK(contains(error_of(edited("\"remote_host\"", R"("remote_hosts": ["a"], "remote_host")")),
                 "remote_hosts: remote_host is set as well, to \"broker.example\"; one of the two is allowed"));
  CHECK(contains(error_of(with("[]")), "remote_hosts: found 0 items; expected 1 to 8 brokers"));
  CHECK(contains(error_of(with(R"(["1", "2", "3", "4", "5", "6", "7", "8", "9"])")), "found 9 items"));
  CHECK(
      contains(error_of(with(R"("a")")), "remote_hosts: found \"a\" (string); expected a list of strings or objects"));
  CHECK(contains(error_of(with(R"(["a", "b:0"])")),
                 "remote_hosts[1]: found \"b:0\"; expected \"HOST\" or \"HOST:PORT\""));
  CHECK(contains(error_of(with(R"(["a", {"port": 1}])")),
                 "remote_hosts[1].host: missing: set it to the remote broker's name"));
  CHECK(contains(error_of(with(R"([{"host": "a", "hots": "b"}])")),
                 "remote_hosts[0].hots: unknown key; did you mean \"host\"? known here: "));
  CHECK(contains(error_of(with(R"(["a", "a:8883"])")), "remote_hosts: found a with port 8883 twice"));
  CHECK(contains(error_of(with(R"(["a"])", R"("strategy": "random")")),
                 "remote.strategy: found \"random\"; allowed: failover, round_robin, hash_clientid"));
}

TEST_CASE("remote.bind takes numeric addresses without a port") {
  const auto with = [](const std::string& bind) {
    return edited("\"cacertfile\"", "\"bind\": " + bind + ", \"cacertfile\"");
  };
  CHECK(parse_config(with(R"(["192.0.2.1", "2001:db8::1"])"), "relayd.json", {}).remote.bind ==
        std::vector<std::string>{"192.0.2.1", "2001:db8::1"});
  for (const char* wrong : {R"(["gateway.example"])", R"(["192.0.2.1:0"])", R"(["[2001:db8::1]"])", R"([""])"})
    CHECK(contains(error_of(with(wrong)), "; expected IPv4 and IPv6 addresses of this machine without a port"));
  CHECK(contains(error_of(with(R"("192.0.2.1")")),
                 "remote.bind: found \"192.0.2.1\" (string); expected a list of strings"));
}

TEST_CASE("remote.certificate: file needs the absolute path of certs_dir, and certs_dir needs it") {
  using Certificate = Config::Remote::Certificate;
  const auto remote = [](const std::string& setting) {
    return parse_config(with_remote(setting), "relayd.json", {}).remote;
  };
  CHECK(parse_config(kSmallest, "relayd.json", {}).remote.certificate == Certificate::peer);
  CHECK(parse_config(kSmallest, "relayd.json", {}).remote.certs_dir.empty());
  CHECK(remote(R"("certificate": "file", "certs_dir": "/etc/certs")").certificate == Certificate::file);
  CHECK(remote(R"("certificate": "file", "certs_dir": "/etc/certs//")").certs_dir == "/etc/certs");
  CHECK(contains(error_of(with_remote(R"("certificate": "disk")")),
                 "remote.certificate: found \"disk\"; allowed: peer, file"));
  CHECK(contains(error_of(with_remote(R"("certificate": "file")")),
                 "remote.certs_dir: missing; expected, with certificate \"file\", the absolute path of the directory"));
  CHECK(contains(error_of(with_remote(R"("certificate": "file", "certs_dir": "certs")")),
                 "remote.certs_dir: found \"certs\"; expected, with certificate \"file\", the absolute path"));
  CHECK(contains(error_of(with_remote(R"("certs_dir": "/etc/certs")")),
                 "remote.certs_dir: found \"/etc/certs\", but certificate is \"peer\": set certificate to \"file\", or "
                 "remove certs_dir"));
}

TEST_CASE("remote.proxy has the usual ports, and brokers that can be asked for") {
  const auto with = [](const std::string& proxy) {
    const std::string_view section = "\"remote\": {";
    std::string text = kSmallest;
    return text.insert(text.find(section) + section.size(), "\"proxy\": " + proxy + ", ");
  };
  const auto proxy = [&](const std::string& text) { return parse_config(with(text), "relayd.json", {}).remote.proxy; };
  CHECK_FALSE(parse_config(kSmallest, "relayd.json", {}).remote.proxy);
  using Type = Config::Proxy::Type;
  CHECK(proxy(R"({"host": "p"})") == Config::Proxy{Type::http, {"p", 3128}, "", std::chrono::seconds(5)});
  CHECK(proxy(R"({"type": "socks5", "host": "p"})")->at == Config::Endpoint{"p", 1080});
  CHECK(proxy(R"({"type": "socks5", "host": "p", "port": 3128})")->at == Config::Endpoint{"p", 3128});
  CHECK(contains(error_of(with("{}")), "remote.proxy.host: missing: set it to the proxy's name or address"));
  CHECK(contains(error_of(with(R"({"type": "socks4", "host": "p"})")),
                 "remote.proxy.type: found \"socks4\"; allowed: http, socks5"));
  std::string odd = with(R"({"host": "p"})");
  odd.replace(odd.find("broker.example"), 14, "a\\r\\nb");
  CHECK(contains(error_of(odd), "remote.proxy: can't be asked for"));
}

TEST_CASE("relayd's flags override its configuration file") {
  const Config config = parse_config(kSmallest, "relayd.json", {"other.example", 1234, "debug"});
  REQUIRE(config.brokers.size() == 1);
  CHECK(config.brokers[0].at == Config::Endpoint{"other.example", 1234});
  const std::string several = edited("\"remote_host\": \"broker.example\"", R"("remote_hosts": ["a", "b"])");
  CHECK(parse_config(several, "relayd.json", {"other.example", 1234, {}}).brokers == config.brokers);
  CHECK(config.log.level == common::log::Level::debug);
}

TEST_CASE("relayd's configuration errors name the file and the path and the remedy") {
  CHECK(contains(error_of(edited("\"workers\": 2", "\"workers\": 0")),
                 "relayd.json: line 8: workers: found 0 (number); expected an integer from 1 to 256"));
  CHECK(contains(error_of(edited("\"workers\"", "\"wrokers\"")),
                 "relayd.json: line 8: wrokers: unknown key; did you mean \"workers\"? known here: "));
  CHECK(contains(error_of(edited("verify_peer\"", "maybe\"")),
                 "listener.verify: found \"maybe\"; allowed: verify_peer, verify_none"));
  CHECK(contains(error_of(edited("0.0.0.0:8883", "8883")), "listener.bind: found \"8883\"; expected \"ADDRESS:PORT\""));
  CHECK(contains(error_of(edited("0.0.0.0:8883", "::1:8883")), "listener.bind"));
  CHECK(contains(error_of(edited("0.0.0.0:8883", "0.0.0.0:99999")), "listener.bind"));
  CHECK(contains(error_of(edited("\"cacertfile\": \"/etc/mqtt-relay/remote-ca.pem\"", "")),
                 "remote.cacertfile: missing: set it to"));
  CHECK(contains(error_of(edited("8883,", "8883, \"remote_port\": 1,")), "appears twice"));
  CHECK(contains(error_of("{\n \"a\": }"), "relayd.json: line 2, column"));
}

TEST_CASE("an IPv6 listener address needs brackets and is stored without them") {
  CHECK(parse_config(edited("0.0.0.0:8883", "[::]:8883"), "f", {}).listeners.front().bind.host == "::");
}

TEST_CASE("a worker that served restarts at once and one that did not restarts with a growing delay") {
  relayd::RestartPolicy policy(100, std::chrono::hours(10));
  using std::chrono::seconds;
  const relayd::RestartPolicy::Clock::time_point now;
  const auto delay = [&](bool had_served) { return policy.after_death(had_served, now).delay; };
  CHECK(delay(true) == seconds(0));
  CHECK(delay(false) == seconds(1));
  CHECK(delay(false) == seconds(2));
  for (int i = 0; i < 10; i++) delay(false);
  CHECK(delay(false) == seconds(60));
  CHECK(delay(true) == seconds(0));
  CHECK(delay(false) == seconds(1));
}

TEST_CASE("a worker is quarantined after max_restarts in restart_window or in a row") {
  using std::chrono::seconds;
  relayd::RestartPolicy::Clock::time_point now;
  relayd::RestartPolicy busy(3, seconds(60));
  for (int i = 0; i < 10; i++, now += seconds(25)) CHECK_FALSE(busy.after_death(true, now).quarantined);
  CHECK_FALSE(busy.after_death(true, now).quarantined);
  CHECK(busy.after_death(true, now).quarantined);  // the fourth within a minute
  relayd::RestartPolicy hopeless(3, seconds(60));
  for (int i = 0; i < 3; i++, now += seconds(600)) CHECK_FALSE(hopeless.after_death(false, now).quarantined);
  CHECK(hopeless.after_death(false, now).quarantined);
}

TEST_CASE("quarantines that follow each other double from a minute to an hour") {
  using std::chrono::minutes;
  relayd::RestartPolicy::Clock::time_point now;
  relayd::RestartPolicy policy(0, minutes(1));
  for (const int expected : {1, 2, 4, 8, 16, 32, 60, 60}) {
    const auto restart = policy.after_death(true, now);
    CHECK(restart.quarantined);
    CHECK(restart.delay == minutes(expected));
    now += restart.delay + minutes(2);
  }
  now += minutes(61);
  CHECK(policy.after_death(true, now).delay == minutes(1));
}

TEST_CASE("relayd's limits have EMQX's names and defaults") {
  const Config config = parse_config(kSmallest, "relayd.json", {});
  const auto& listener = config.listeners.front();
  CHECK_FALSE(listener.max_connections);
  CHECK(listener.max_conn_rate == common::Rate{1000, std::chrono::seconds(1)});
  CHECK(listener.messages_rate.count == 0);
  CHECK(listener.bytes_rate.count == 0);
  CHECK(listener.send_timeout == std::chrono::seconds(15));
  CHECK(listener.high_watermark == 1 << 20);
  CHECK(listener.keepalive_multiplier == 1.5);
  CHECK_FALSE(listener.crl_disconnect);
  CHECK_FALSE(listener.flapping_detect);
  CHECK(config.worker_watchdog == std::chrono::seconds(10));
}

TEST_CASE("relayd's limits are read and checked") {
  const auto with = [](const std::string& more) { return edited("\"verify\": \"verify_peer\"", more); };
  const Config config = parse_config(
      with(
          R"("max_connections": 7, "max_conn_rate": "5/s", "bytes_rate": "100KB/s", "flapping_detect": {"max_count": 3})"),
      "relayd.json", {});
  CHECK(config.listeners.front().max_connections == 7u);
  CHECK(config.listeners.front().bytes_rate == common::Rate{100 * 1024, std::chrono::seconds(1)});
  CHECK(config.listeners.front().flapping_detect->max_count == 3);
  CHECK(config.listeners.front().flapping_detect->ban_time == std::chrono::minutes(5));
  CHECK_FALSE(parse_config(with(R"("flapping_detect": {"enable": false})"), "relayd.json", {})
                  .listeners.front()
                  .flapping_detect);
  CHECK(
      contains(error_of(with(R"("max_connections": 0)")),
               "listener.max_connections: found 0 (number); expected an integer from 1 to 10000000, or \"infinity\""));
  CHECK(contains(error_of(with(R"("max_connections": 1)")),
                 "found 1, but there are 2 workers; expected at least one connection for each"));
  CHECK(contains(error_of(with(R"("bytes_rate": "5/s")")), "as \"100KB/s\""));
  CHECK(contains(error_of(with(R"("high_watermark": "1KB")")), "expected at least \"17KB\""));
  CHECK(contains(error_of(with(R"("keepalive_multiplier": 0.5)")), "a number from 1.0 to 10.0"));
}

TEST_CASE("listener.websocket takes EMQX's path, and one that a client can ask for") {
  const auto with = [](const std::string& settings) { return with_listener("\"websocket\": " + settings); };
  const auto websocket = [&](const std::string& settings) {
    return parse_config(with(settings), "relayd.json", {}).listeners.front().websocket;
  };
  CHECK_FALSE(parse_config(kSmallest, "relayd.json", {}).listeners.front().websocket);
  CHECK(websocket("{}") == Config::Websocket{"/mqtt", 268'435'460});
  CHECK(websocket(R"({"mqtt_path": "/a/b%20c", "max_frame_size": "1MB"})") == Config::Websocket{"/a/b%20c", 1 << 20});
  CHECK(websocket(R"({"allowed_origins": ["https://app.example", "http://[::1]:8080"]})")->allowed_origins.size() == 2);
  CHECK(contains(error_of(with(R"({"allowed_origins": []})")),
                 "allowed_origins: found an empty list; expected at least"));
  for (const char* origin : {"", "app.example", "https://", "https://App.example", "https://app.example/", "null"})
    CHECK(contains(error_of(with("{\"allowed_origins\": [\"" + std::string(origin) + "\"]}")),
                   "listener.websocket.allowed_origins: found \"" + std::string(origin) + "\"; expected origins"));
  CHECK_FALSE(websocket(R"({"enable": false})"));
  for (const char* path : {"", "mqtt", "/mqtt?x", "/mqtt#x", "/m t", "/ä", "http://x/mqtt"})
    CHECK(contains(error_of(with(R"({"mqtt_path": ")" + std::string(path) + "\"}")),
                   "listener.websocket.mqtt_path: found \"" + std::string(path) +
                       "\"; expected the path of a URL, such as \"/mqtt\""));
  CHECK(contains(error_of(with(R"({"max_frame_size": "1023B"})")),
                 "listener.websocket.max_frame_size: found 1023 bytes; expected at least \"1KB\""));
  CHECK(contains(error_of(with(R"({"path": "/mqtt"})")), "listener.websocket.path: unknown key; known here: "));
}

TEST_CASE("the workers' shares add up to the limit") {
  CHECK(relayd::share_of(10, 0, 3) + relayd::share_of(10, 1, 3) + relayd::share_of(10, 2, 3) == 10);
  CHECK(relayd::share_of(1, 3, 4) == 0);
}
