// bind_remote: a device's key signs for the configured remote broker and for nobody else, whatever a worker asks for.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

Json bound_to(const std::string& remote_host, const fs::path& authority = authorities().root) {
  return {{"bind_remote", {{"remote_host", remote_host}, {"cacertfile", authority.string()}}}};
}

// Audit lines of signatures with a device's key.
std::vector<Json> device_signatures(World& world) {
  return world.relay().audit().json(
      [](const Json& line) { return line.value("event", "") == "sign" && line.value("client_id", "") != ""; });
}

// Nothing has been signed with the device's key, and the audit says why.
void check_nothing_signed(World& world, const std::string& reason) {
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  // keyd's denial is what DESIGN's table calls "remote's certificate bad": it has refused the remote, not the device.
  CHECK(world.refusal(identity, "thermo", mqtt::v311) == 3);
  CHECK(world.refusal(identity, "thermo", mqtt::v5) == 0x88);
  const auto lines = device_signatures(world);
  REQUIRE(lines.size() == 2);
  for (const auto& line : lines) {
    CAPTURE(line.dump());
    CHECK(line.at("result") == "denied");
    CHECK(line.dump().find(reason) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("with bind_remote a device reaches the configured broker") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const std::string remote_type = GENERATE("rsa2048", "p256", "ed25519");
  CAPTURE(remote_type, version == TlsVersion::v1_3);
  World world({.keyd = bound_to(own_address()), .remote_type = remote_type, .remote_version = version});
  for (const auto& type : key_types) {
    CAPTURE(type);
    const auto identity = device_identity(type, 1);
    world.give_key("client-" + type, identity);
    auto device = world.device(identity);
    device.join("client-" + type);
    CHECK(world.remote->user_of("client-" + type) == identity.name);
  }
  const auto lines = device_signatures(world);
  CHECK(lines.size() == key_types.size());
  for (const auto& line : lines) {
    CAPTURE(line.dump());
    CHECK(line.at("result") == "ok");
    CHECK(line.at("kind").get<std::string>().find("bound") != std::string::npos);
  }
}

TEST_CASE("with bind_remote a device's key signs nothing towards another server of the same authority") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  // relayd is content with this remote: it goes by own_address(). keyd is told of another one.
  World world({.keyd = bound_to("broker.example"), .remote_version = version});
  check_nothing_signed(world, "not for bind_remote.remote_host");
  CHECK(world.remote->log().count_text("New client connected") == 0);
}

TEST_CASE("with bind_remote a device's key signs nothing towards a server of another authority") {
  World world({.keyd = bound_to(own_address(), strange_authorities().root)});
  check_nothing_signed(world, "does not chain to bind_remote.cacertfile");
}

TEST_CASE("with bind_remote a listener's signature and a device without a key are as ever") {
  World world({.keyd = bound_to(own_address())});
  auto device = world.device(device_identity("p256", 1));
  device.join("keyless");
  CHECK(world.local->connections_of("keyless") == 1);
}

TEST_CASE("without bind_remote the hash of the handshake is what a worker sends, and any server is reached") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.join("thermo");
  const auto lines = device_signatures(world);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].at("result") == "ok");
  CHECK(lines[0].at("kind").get<std::string>().find("bound") == std::string::npos);
}

TEST_CASE("with bind_remote a restarted worker and a restarted keyd go on as before") {
  World world({.keyd = bound_to(own_address())});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  world.device(identity).join("thermo");
  world.relay().start_keyd();  // anew: the one before is killed
  auto device = world.device(identity);
  device.join("thermo");
  CHECK(world.remote->user_of("thermo") == identity.name);
}

TEST_CASE("an unusable bind_remote.cacertfile stops keyd with the setting, the file and the remedy") {
  World world({.start = false});
  const auto file = world.directory / "not-a-ca.pem";
  write_file(file, "no certificate");
  world.relay().patch_keyd(bound_to(own_address(), file));
  const auto ended = world.relay().run_keyd();
  CHECK(ended.status.code == 78);
  for (const std::string& part : {std::string("bind_remote.cacertfile"), file.string(), std::string("expected PEM")})
    CHECK(ended.err.find(part) != std::string::npos);
}
