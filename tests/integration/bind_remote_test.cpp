// With bind_remote a device's key signs for the configured remote broker only, whatever a worker asks for.

#include <signal.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

Json bound_to(const std::string& remote_host, const fs::path& authority = authorities().root) {
  return {{"bind_remote", {{"remote_host", remote_host}, {"cacertfile", authority.string()}}}};
}

// The audit lines of signatures with a device's key.
std::vector<Json> device_signatures(World& world) {
  return world.relay().audit().json(
      [](const Json& line) { return line.value("event", "") == "sign" && line.value("client_id", "") != ""; });
}

// Checks that nothing was signed with the device's key, and that the audit says why.
void check_nothing_signed(World& world, const std::string& reason) {
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  // DESIGN's table counts keyd's denial as "remote's certificate bad": keyd refused the remote, not the device.
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
    CHECK(line.at("kind") == (version == TlsVersion::v1_2 ? "tls12_client" : "tls13_client_bound"));
  }
}

TEST_CASE("with bind_remote a device whose certificate has a compressed point reaches the configured broker") {
  TempDir directory;
  const auto root = field::root("Root");
  const auto trusted = field::save_certificates(directory / "devices.pem", {root});
  World world({.keyd = bound_to(own_address()),
               .relayd = {{"listener", {{"cacertfile", trusted}}}},
               .local = false,
               .remote_trusts = trusted});
  const auto identity = field::save(directory.path(), "dev1", {field::device(root, {}, "P-256:compressed")});
  world.give_key("dev1", identity);
  for (const TlsVersion version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
    Device device(TlsStream::connect(world.relay().endpoint(), field::client(identity, version)));
    device.join("dev1");
  }
  for (const auto& line : device_signatures(world)) CHECK(line.at("result") == "ok");
}

TEST_CASE("with bind_remote a device's key signs nothing for another server of the same authority") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  // relayd accepts this remote, because it expects own_address(); keyd is configured for another one.
  World world({.keyd = bound_to("broker.example"), .remote_version = version});
  check_nothing_signed(world, "and bind_remote.remote_host is broker.example");
  CHECK(world.remote->log().count_text("New client connected") == 0);
}

TEST_CASE("with bind_remote a device's key signs nothing for a server of another authority") {
  World world({.keyd = bound_to(own_address(), strange_authorities().root)});
  check_nothing_signed(world, "in " + strange_authorities().root.string());
}

TEST_CASE("with bind_remote the listener still signs, and a device without a key still stays local") {
  World world({.keyd = bound_to(own_address())});
  auto device = world.device(device_identity("p256", 1));
  device.join("keyless");
  CHECK(world.local->connections_of("keyless") == 1);
}

TEST_CASE("without bind_remote a worker sends only the handshake's hash, and the key signs for any server") {
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

TEST_CASE("with bind_remote devices are served again after a worker or keyd restarts") {
  World world({.keyd = bound_to(own_address())});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  world.device(identity).join("thermo");
  world.relay().start_keyd();  // the previous keyd was killed
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

TEST_CASE("a missing or unusable notary program stops keyd, which reports its path") {
  World world({.start = false});
  world.relay().patch_keyd(bound_to(own_address()));
  const auto notary = world.directory / "libexec/mqtt-keyd-notary";
  std::string cause;
  SECTION("the program is missing") {
    fs::remove(notary);
    cause = "No such file";
  }
  SECTION("the program is not executable") {
    fs::permissions(notary, fs::perms::owner_read);
    cause = "Permission denied";
  }
  SECTION("the file is not a program") {
    write_file(notary, "hello");
    fs::permissions(notary, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
    cause = "Exec format error";
  }
  SECTION("the program exits at once") {
    fs::remove(notary);
    fs::copy_file("/bin/false", notary);
    cause = "ended before it could answer: exit status 1";
  }
  const auto ended = world.relay().run_keyd();
  CHECK(ended.status.code == 1);
  for (const std::string& part : {std::string("libexec/mqtt-keyd-notary"), cause})
    CHECK(ended.err.find(part) != std::string::npos);
}

TEST_CASE("with bind_remote the notary is a separate program, it has libcrypto and keyd does not", "[root]") {
  NEEDS_ROOT();  // only root may inspect the processes
  World world({.keyd = bound_to(own_address())});
  const auto maps = [](pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/maps"); };
  const pid_t keyd = world.relay().keyd().pid();
  const pid_t notary = child_named(child_named(keyd, "keyd-guardian"), "keyd-notary");
  CHECK(maps(keyd).find("libcrypto") == std::string::npos);
  CHECK(maps(notary).find("libcrypto") != std::string::npos);
  CHECK(maps(notary).find("mqtt-keyd-notary") != std::string::npos);
}

TEST_CASE("keyd exits with an error when the notary's guardian dies, and with 0 when all its processes are stopped") {
  World world({.keyd = bound_to(own_address())});
  auto& keyd = world.relay().keyd();
  const pid_t guardian = child_named(keyd.pid(), "keyd-guardian");
  SECTION("the guardian is killed") {
    REQUIRE(kill(guardian, SIGKILL) == 0);
    CHECK(keyd.wait().code == 1);
    keyd.err().wait_text("with bind_remote or bind_device no device's key signs without it");
  }
  SECTION("a service manager stops all of them") {
    const pid_t notary = child_named(guardian, "keyd-notary");
    for (const pid_t pid : {notary, guardian, keyd.pid()}) REQUIRE(kill(pid, SIGTERM) == 0);
    CHECK(keyd.wait().code == 0);
  }
}
