// The seven rules that users of plugin_mqtt_proxy know, by number.

#include <signal.h>
#include <sys/stat.h>

#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// Checks that the remote broker has `client_id`, under the user that the certificate names.
void check_remote_has(World& world, const std::string& client_id, const Identity& identity) {
  CHECK(world.remote->user_of(client_id) == identity.name);
  CHECK(world.local->connections_of(client_id) == 0);
}

void check_local_has(World& world, const std::string& client_id) {
  world.local->user_of(client_id);
  CHECK(world.remote->connections_of(client_id) == 0);
}

}  // namespace

TEST_CASE("rule 1: only keyd's user needs to read the keys in private_keys_dir", "[root]") {
  NEEDS_ROOT();
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.join("thermo");
  check_remote_has(world, "thermo", identity);

  CHECK(user_of(world.relay().keyd().pid()) == keyd_user);
  CHECK(user_of(world.relay().relayd().pid()) == relay_user);
  REQUIRE(world.relay().workers().size() == 1);
  CHECK(user_of(world.relay().workers()[0]) == relay_user);
  const std::vector<std::string> read_the_key = {"cat", world.relay().keys() / "thermo.pem"};
  CHECK(run({.argv = read_the_key, .user = keyd_user}).status.code == 0);
  CHECK(run({.argv = read_the_key, .user = relay_user}).status.code != 0);
}

TEST_CASE("rule 2: the key's file name is exactly the client id and .pem") {
  World world;
  const auto identity = device_identity("p256", 1);
  for (const char* other : {"Thermo", "thermo.pem", "thermo ", "thermo-2", "therm"}) world.give_key(other, identity);
  world.relay().give_file("thermo", read_file(identity.key));
  world.relay().give_file("thermo.PEM", read_file(identity.key));
  auto nearly = world.device(identity);
  nearly.join("thermo");
  check_local_has(world, "thermo");

  for (const std::string exact : {"Thermo", "thermo ", "thermo.pem", "sensör 7", "a..b", ".hidden", "-rf", "%2e%2e"}) {
    world.give_key(exact, identity);
    auto device = world.device(identity);
    device.join(exact);
    check_remote_has(world, exact, identity);
  }
}

TEST_CASE("rule 3: a device without a key is admitted, and no remote connection is made for it") {
  World world;
  const auto before = world.remote_connections();
  auto local = world.local_listener();
  for (const int level : {mqtt::v31, mqtt::v311, mqtt::v5}) {
    const auto id = "keyless-" + std::to_string(level);
    auto device = world.device(device_identity("p256", 1));
    device.join(id, level);
    check_local_has(world, id);
    REQUIRE(device.subscribe("news/#", 1) == 1);
    device.publish("news/" + id, "hello", 1);
    CHECK(device.next_message().payload == "hello");
    local->out().wait_text("news/" + id + " hello");
    device.disconnect();
    world.local->wait_gone(id);
  }
  CHECK(world.remote_connections() == before);
}

TEST_CASE("rule 3: with no local broker configured, a device without a key gets the built-in, empty one") {
  World world({.local = false});
  const int level = GENERATE(mqtt::v31, mqtt::v311, mqtt::v5);
  const auto before = world.remote_connections();
  auto device = world.device(device_identity("p256", 1));
  device.join("keyless", level);
  for (int qos = 0; qos <= 2; ++qos) {
    CHECK(device.subscribe("news/" + std::to_string(qos), qos) == qos);
    device.publish("news/elsewhere", "hello", qos);
  }
  device.ping();
  CHECK(device.waiting_messages() == 0);
  device.disconnect();
  CHECK(device.tls().read_to_end().leftover.empty());
  CHECK(world.remote_connections() == before);
}

TEST_CASE("rule 4: a device without a certificate is refused in the handshake") {
  World world;
  const auto refused = [&](TlsVersion version) {
    return TlsStream::open(world.relay().endpoint(), TlsContext::client(nullptr, authorities().root, version))
        .refused_handshake();
  };
  const auto v1_3 = refused(TlsVersion::v1_3), v1_2 = refused(TlsVersion::v1_2);
  CHECK(v1_3.how == Ending::alert);
  CHECK(v1_3.alert_code == 116);  // certificate_required
#if defined(MQTT_RELAY_WOLFSSL_5_7)
  CHECK(v1_2.how == Ending::fin);  // wolfSSL 5.7.2 closes without an alert
#else
  CHECK(v1_2.how == Ending::alert);
  CHECK(v1_2.alert_code == 40);  // handshake_failure
#endif
  auto welcome = world.device(device_identity("p256", 1));
  welcome.join("welcome");
}

TEST_CASE("rule 4: a device whose certificate another authority signed is refused in the handshake") {
  World world;
  const auto stranger = strange_device("p256");
  for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
    auto stream = TlsStream::open(world.relay().endpoint(), TlsContext::client(&stranger, authorities().root, version));
    const auto ending = stream.refused_handshake();
    CHECK(ending.how == Ending::alert);
    CHECK(ending.alert_code == 48);  // unknown_ca
  }
}

TEST_CASE(
    "rule 4: without a certificate, and with fail_if_no_peer_cert false or verify_none, CONNACK refuses the device") {
  const Json listener = GENERATE(Json{{"fail_if_no_peer_cert", false}}, Json{{"verify", "verify_none"}});
  CAPTURE(listener.dump());
  World world({.relayd = {{"listener", listener}}});
  world.give_key("has-key", device_identity("p256", 1));
  const auto local_before = world.local->log().count_text("New connection from");
  const auto remote_before = world.remote_connections();
  for (const std::string id : {"has-key", "keyless"})
    for (const auto& [level, code] : {std::pair{mqtt::v31, 5}, {mqtt::v311, 5}, {mqtt::v5, 0x87}}) {
      Device device(TlsStream::connect(world.relay().endpoint(), TlsContext::client(nullptr, authorities().root)));
      CHECK(mqtt::connack_code(device.connect({.client_id = id, .level = level})) == code);
      CHECK(device.tls().read_to_end().leftover.empty());
    }
  CHECK(world.local->log().count_text("New connection from") == local_before);
  CHECK(world.remote_connections() == remote_before);
}

TEST_CASE("rule 5: a persistent session lives in the remote alone, and survives a restart of keyd and relayd") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("sleeper", identity);
  auto publisher = world.direct(device_identity("p256", 2));
  publisher.join("publisher");
  const mqtt::Connect persistent{.client_id = "sleeper", .clean = false};
  {
    auto device = world.device(identity);
    CHECK_FALSE(mqtt::session_present(device.connect(persistent)));
    REQUIRE(device.subscribe("any/news", 1) == 1);
    device.disconnect();
    world.remote->wait_gone("sleeper");
  }
  publisher.publish("any/news", "while you slept", 1);
  world.relay().start_keyd();  // the previous ones were killed
  world.relay().start_relayd();
  auto device = world.device(identity);
  CHECK(mqtt::session_present(device.connect(persistent)));
  CHECK(device.next_message().payload == "while you slept");
}

TEST_CASE(
    "rule 7: private_keys_dir, remote_host and remote_port can be set in the file, by flags or in the environment") {
  World world({.start = false});
  auto& relay = world.relay();
  const auto identity = device_identity("p256", 1);
  const auto keys = relay.keys().string(), port = std::to_string(ports::remote);
  // Values that point elsewhere: a directory without keys, and a port where nothing listens.
  const auto empty = world.directory / "empty";
  fs::create_directory(empty);
  const auto file = [&](const Json& keys_dir, const Json& host, const Json& at) {
    relay.patch_keyd({{"private_keys_dir", keys_dir}});
    relay.patch_relayd({{"remote_host", host}, {"remote_port", at}});
  };
  SECTION("in the file") {}
  SECTION("as flags, which win over the file") {
    file(empty, "192.0.2.1", ports::unused);
    relay.options().keyd_arguments = {"--private-keys-dir", keys};
    relay.options().relayd_arguments = {"--remote-host", own_address(), "--remote-port", port};
  }
  SECTION("in the environment, which wins over the file") {
    file(empty, "192.0.2.1", ports::unused);
    relay.options().environment = {"MQTT_RELAY_PRIVATE_KEYS_DIR=" + keys, "MQTT_RELAY_REMOTE_HOST=" + own_address(),
                                   "MQTT_RELAY_REMOTE_PORT=" + port};
  }
  SECTION("as flags, which win over the environment") {
    relay.options().environment = {"MQTT_RELAY_PRIVATE_KEYS_DIR=" + empty.string(), "MQTT_RELAY_REMOTE_HOST=192.0.2.1",
                                   "MQTT_RELAY_REMOTE_PORT=19999"};
    relay.options().keyd_arguments = {"--private-keys-dir", keys};
    relay.options().relayd_arguments = {"--remote-host", own_address(), "--remote-port", port};
  }
  SECTION("not in the file at all") {
    file(nullptr, nullptr, nullptr);
    relay.options().keyd_arguments = {"--private-keys-dir", keys};
    relay.options().environment = {"MQTT_RELAY_REMOTE_HOST=" + own_address(), "MQTT_RELAY_REMOTE_PORT=" + port};
  }
  world.give_key("thermo", identity);
  relay.start();
  auto device = world.device(identity);
  device.join("thermo");
  check_remote_has(world, "thermo", identity);
}

TEST_CASE("rule 6: when the remote stops, the device's connection ends") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.join("thermo");
  SECTION("the broker dies") {
    world.remote->process().kill();
    CHECK(device.tls().read_to_end().leftover.empty());
  }
  SECTION("the broker takes the session away") {
    auto usurper = world.direct(device_identity("p256", 2));
    usurper.join("thermo");
    CHECK(device.tls().read_to_end().leftover.empty());
  }
}

TEST_CASE("rule 6: when the device stops, the remote connection ends") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.join("thermo");
  SECTION("by DISCONNECT") { device.disconnect(); }
  SECTION("by close_notify") { device.tls().close_notify_and_fin(); }
  SECTION("by FIN") { device.tls().fin(); }
  SECTION("by RST") { device.tls().vanish(); }
  world.remote->wait_gone("thermo");
}

TEST_CASE("rule 6: data and a reset that arrive at the same moment end the session") {
  World world({.relayd = {{"workers", 1}}});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.join("thermo");
  const pid_t worker = world.relay().workers().at(0);
  REQUIRE(kill(worker, SIGSTOP) == 0);  // so that the worker finds both at once
  device.tls().send(mqtt::publish({.topic = "any/t", .payload = "last words"}));
  device.tls().vanish();
  REQUIRE(kill(worker, SIGCONT) == 0);
  world.remote->wait_gone("thermo");
}

TEST_CASE("rule 6: a device's connection and its local broker connection end together") {
  World world;
  auto device = world.device(device_identity("p256", 1));
  device.join("keyless");
  SECTION("the device vanishes") {
    device.tls().vanish();
    world.local->wait_gone("keyless");
  }
  SECTION("the broker dies") {
    world.local->process().kill();
    CHECK(device.tls().read_to_end().leftover.empty());
  }
}
