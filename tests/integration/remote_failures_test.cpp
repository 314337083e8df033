// If the remote is down, wrong, silent or hostile, the device gets the right CONNACK within a bounded time, and never
// becomes local.

#include <thread>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

struct Expected {
  int v3, v5;
};
constexpr Expected unavailable{3, 0x88}, not_authorized{5, 0x87};

void check_refused(World& world, Expected code) {
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  CHECK(world.refusal(identity, "thermo", mqtt::v31) == code.v3);
  CHECK(world.refusal(identity, "thermo", mqtt::v311) == code.v3);
  CHECK(world.refusal(identity, "thermo", mqtt::v5) == code.v5);
  if (world.local) CHECK(world.local->log().count_text("New connection from") == 0);
}

// The device sends its CONNECT; then the test acts as the remote.
Device knock(World& world, int level) {
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "thermo", .level = level}));
  return device;
}

void check_answer_and_end(Device& device, int code) {
  CHECK(mqtt::connack_code(device.tls().read_packet()) == code);
  CHECK(device.tls().read_to_end().leftover.empty());
}

}  // namespace

TEST_CASE("with the remote down, a device gets server unavailable") {
  World world({.remote = RemoteKind::none});
  check_refused(world, unavailable);
}

TEST_CASE("once the remote is up again, the next device gets through") {
  World world;
  world.remote->process().kill();
  check_refused(world, unavailable);
  world.remote->restart();
  auto device = world.device(device_identity("p256", 1));
  device.join("thermo");
}

TEST_CASE("if the remote refuses its certificate, a device gets not authorized") {
  // In TLS 1.3 the remote refuses only after the relay has sent its Finished.
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  World world({.remote_version = version, .remote_trusts = strange_authorities().root});
  check_refused(world, not_authorized);
  CHECK(world.remote->log().count_text("New client connected") == 0);
}

TEST_CASE(
    "a remote with another authority's certificate gets no byte of MQTT, and the device gets server unavailable") {
  TempDir directory;
  const auto impostor = server_identity("impostor", "p256", "IP:" + own_address(), directory.path(), /*strange=*/true);
  World world({.remote_server = impostor});
  check_refused(world, unavailable);
  CHECK(world.remote->log().count_text("New client connected") == 0);
}

TEST_CASE("if the remote's certificate names another host, a device gets server unavailable") {
  TempDir directory;
  const std::string names = GENERATE("IP:127.0.0.1,DNS:localhost", "DNS:other.test", "DNS:127.0.0.1");
  CAPTURE(names);
  World world({.remote_server = server_identity("other", "p256", names, directory.path())});
  check_refused(world, unavailable);
  CHECK(world.remote->log().count_text("New client connected") == 0);
}

TEST_CASE("a remote certificate that has no address but names server_name_indication is accepted") {
  TempDir directory;
  const auto server = server_identity("named", "p256", "DNS:broker.test", directory.path());
  World world({.relayd = {{"remote", {{"server_name_indication", "broker.test"}}}},
               .remote = RemoteKind::captured,
               .remote_server = server});
  auto device = knock(world, mqtt::v311);
  auto remote = world.captured->accept();
  CHECK(remote.server_name() == "broker.test");
  remote.read_packet();
  remote.send(connack_accepted);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
}

TEST_CASE("if the remote's certificate lacks server_name_indication, a device gets server unavailable") {
  World world({.relayd = {{"remote", {{"server_name_indication", "broker.test"}}}}});
  check_refused(world, unavailable);
}

TEST_CASE("remote_host may be a name, which relayd resolves, sends as SNI and verifies") {
  TempDir directory;
  CapturingRemote remote({"127.0.0.1", 0}, server_identity("local", "p256", "DNS:localhost", directory.path()),
                         authorities().root);
  World world(
      {.relayd = {{"remote_host", "localhost"}, {"remote_port", remote.endpoint().port}}, .remote = RemoteKind::none});
  auto device = knock(world, mqtt::v311);
  auto served = remote.accept();
  CHECK(served.server_name() == "localhost");
  served.read_packet();
  served.send(connack_accepted);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
}

TEST_CASE("if the remote is silent in the handshake, a device gets server unavailable after connect_timeout") {
  World world({.relayd = {{"remote", {{"connect_timeout", "300ms"}}}}, .remote = RemoteKind::captured});
  for (const auto& [level, code] : {std::pair{mqtt::v311, 3}, {mqtt::v5, 0x88}}) {
    auto device = knock(world, level);
    const auto silent = world.captured->accept_silently();
    check_answer_and_end(device, code);
  }
}

TEST_CASE("if the remote does not answer CONNECT, a device gets server unavailable after connack_timeout") {
  World world({.relayd = {{"remote", {{"connack_timeout", "300ms"}}}}, .remote = RemoteKind::captured});
  for (const auto& [level, code] : {std::pair{mqtt::v311, 3}, {mqtt::v5, 0x88}}) {
    auto device = knock(world, level);
    auto silent = world.captured->accept();
    silent.read_packet();
    check_answer_and_end(device, code);
    CHECK(silent.read_to_end().leftover.empty());
  }
}

TEST_CASE("if the remote closes before CONNACK, a device gets server unavailable") {
  World world({.remote = RemoteKind::captured});
  const int level = GENERATE(mqtt::v311, mqtt::v5);
  auto device = knock(world, level);
  SECTION("right after the handshake") { world.captured->accept().close_notify_and_fin(); }
  SECTION("right after the handshake, by RST") { world.captured->accept().vanish(); }
  SECTION("before the handshake") { world.captured->accept_silently().vanish(); }
  SECTION("after CONNECT") {
    auto remote = world.captured->accept();
    remote.read_packet();
    remote.close_notify_and_fin();
  }
  SECTION("in the middle of CONNACK") {
    auto remote = world.captured->accept();
    remote.read_packet();
    remote.send(connack_accepted_v5.substr(0, 1));
    remote.close_notify_and_fin();
    // The relay cannot take back a packet once begun: it must close, and must not send a CONNACK that accepts.
    const auto got = device.tls().read_to_end().leftover;
    CHECK(got.find(connack_accepted) == got.npos);
    return;
  }
  check_answer_and_end(device, level == mqtt::v5 ? 0x88 : 3);
}

TEST_CASE("if the remote's first packet is not a CONNACK, a device gets server unavailable, and none of its bytes") {
  World world({.remote = RemoteKind::captured});
  const auto [sent, cause] =
      GENERATE(std::pair{mqtt::publish({.topic = "t", .payload = "x"}), "the broker's first packet is not a CONNACK"},
               std::pair{std::string(4, '\0'), "the broker sent something other than MQTT"});
  for (const auto& [level, code] : {std::pair{mqtt::v311, 3}, {mqtt::v5, 0x88}}) {
    const auto mark = world.relay().log().mark();
    auto device = knock(world, level);
    auto remote = world.captured->accept();
    remote.read_packet();
    remote.send(sent);
    check_answer_and_end(device, code);
    world.relay().log().wait_text(cause, mark);
  }
}

TEST_CASE("the remote's own CONNACK is passed on unchanged, whatever its code") {
  World world({.remote = RemoteKind::captured});
  const auto reason = "\x1f" + mqtt::text("no") + mqtt::user_property("a", "b");
  const auto refuse_v5 = mqtt::packet(0x20, std::string("\0\x8a", 2) + mqtt::variable_length(reason.size()) + reason);
  const auto refuse_v3 = mqtt::packet(0x20, std::string("\0\x04", 2));
  for (const auto& [level, answer] :
       {std::pair{mqtt::v5, refuse_v5}, {mqtt::v311, refuse_v3}, {mqtt::v31, refuse_v3}}) {
    auto device = knock(world, level);
    auto remote = world.captured->accept();
    remote.read_packet();
    remote.send(answer);
    remote.close_notify_and_fin();
    CHECK((device.tls().read_to_end().leftover == answer));
  }
}

TEST_CASE("the remote's own DISCONNECT is passed on unchanged, and the relay adds nothing") {
  World world({.remote = RemoteKind::captured});
  auto device = knock(world, mqtt::v5);
  auto remote = world.captured->accept();
  remote.read_packet();
  const auto bye = mqtt::disconnect(mqtt::v5, std::string("\x8e\0", 2));  // session taken over
  remote.send(connack_accepted_v5 + bye);
  remote.close_notify_and_fin();
  CHECK((device.tls().read_to_end().leftover == connack_accepted_v5 + bye));
}

TEST_CASE("if the remote is lost after CONNACK, a 5.0 device gets DISCONNECT 0x80 and a 3.x device a close") {
  World world({.remote = RemoteKind::captured});
  for (const auto& [level, accepted] : {std::pair{mqtt::v5, connack_accepted_v5}, {mqtt::v311, connack_accepted}}) {
    auto device = knock(world, level);
    auto remote = world.captured->accept();
    remote.read_packet();
    remote.send(accepted);
    device.tls().read_packet();
    remote.vanish();
    const auto last = device.tls().read_to_end().leftover;
    if (level == mqtt::v5) {
      REQUIRE(last.size() >= 3);
      CHECK(last.substr(0, 1) == "\xe0");
      CHECK(last.substr(2, 1) == "\x80");
    } else {
      CHECK(last.empty());
    }
  }
}

TEST_CASE("with the local broker down, a device gets server unavailable, not the built-in broker") {
  World world;
  world.local->process().kill();
  const auto identity = device_identity("p256", 1);
  CHECK(world.refusal(identity, "keyless", mqtt::v311) == 3);
  CHECK(world.refusal(identity, "keyless", mqtt::v5) == 0x88);
  CHECK(world.remote_connections() == 0);
}
