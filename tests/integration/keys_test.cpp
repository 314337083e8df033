// A device whose key is missing is local; a device whose key exists but is unusable never is.

#include <sys/stat.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// Checks that both versions are refused with `code_v3` or `code_v5`, without a connection to either broker, and that
// keyd logged why.
void check_refused(World& world, const std::string& client_id, const Identity& identity, int code_v3, int code_v5) {
  const auto remote_before = world.remote_connections();
  const auto local_before = world.local->log().count_text("New connection from");
  CHECK(world.refusal(identity, client_id, mqtt::v31) == code_v3);
  CHECK(world.refusal(identity, client_id, mqtt::v311) == code_v3);
  CHECK(world.refusal(identity, client_id, mqtt::v5) == code_v5);
  CHECK(world.remote_connections() == remote_before);
  CHECK(world.local->log().count_text("New connection from") == local_before);
}

std::string audit_result(World& world, const std::string& client_id) {
  return world.relay()
      .audit()
      .wait_json(
          [&](const Json& j) { return j.value("event", "") == "lookup" && j.value("client_id", "") == client_id; },
          "the lookup of " + client_id)
      .value("result", "");
}

}  // namespace

TEST_CASE("with a key that does not match its certificate, a device is not authorized and never local") {
  World world;
  world.give_key("thermo", device_identity("p256", 2));
  check_refused(world, "thermo", device_identity("p256", 1), 5, 0x87);
  CHECK(audit_result(world, "thermo") == "mismatch");
  // Also with a key of another type.
  world.give_key("other", device_identity("rsa2048", 2));
  check_refused(world, "other", device_identity("p256", 1), 5, 0x87);
}

TEST_CASE("with an unusable key file, a device gets server unavailable and is never local") {
  World world;
  const auto identity = device_identity("p256", 1);
  const auto good = read_file(identity.key);
  auto& relay = world.relay();
  std::string id;
  SECTION("keyd may not read it") { relay.give_file((id = "mode-0000") + ".pem", good, 0); }
  SECTION("any user may read it") { relay.give_file((id = "mode-0644") + ".pem", good, 0644); }
  SECTION("any user may write it") { relay.give_file((id = "mode-0622") + ".pem", good, 0622); }
  SECTION("it is not PEM") { relay.give_file((id = "garbage") + ".pem", "this is no key\n"); }
  SECTION("it is truncated") { relay.give_file((id = "cut") + ".pem", good.substr(0, good.size() / 2)); }
  SECTION("it is empty") { relay.give_file((id = "empty") + ".pem", ""); }
  SECTION("it is a certificate") { relay.give_file((id = "certificate") + ".pem", read_file(identity.certificate)); }
  SECTION("it is too large") { relay.give_file((id = "large") + ".pem", good + std::string(70'000, '\n')); }
  SECTION("it is a directory") { fs::create_directory(relay.keys() / ((id = "folder") + ".pem")); }
  SECTION("it is a FIFO") { REQUIRE(mkfifo((relay.keys() / ((id = "fifo") + ".pem")).c_str(), 0600) == 0); }
  SECTION("it is a symbolic link") {
    relay.give_file("target", good);
    fs::create_symlink("target", relay.keys() / ((id = "link") + ".pem"));
  }
  check_refused(world, id, identity, 3, 0x88);
  CHECK(audit_result(world, id) == "unusable");
  // The log names the file.
  relay.keyd().err().wait_text(id + ".pem");
}

TEST_CASE("adding, replacing or removing a key takes effect at the next connection") {
  World world;
  const auto first = device_identity("p256", 1), second = device_identity("ed25519", 1);
  const auto goes_to_remote = [&](const Identity& identity) {
    const auto before = world.remote->connections_of("thermo");
    auto device = world.device(identity);
    device.join("thermo");
    device.ping();
    return world.remote->connections_of("thermo") == before + 1;
  };
  CHECK_FALSE(goes_to_remote(first));
  world.give_key("thermo", first);
  CHECK(goes_to_remote(first));
  world.give_key("thermo", second);
  CHECK(goes_to_remote(second));
  CHECK(world.refusal(first, "thermo", mqtt::v311) == 5);
  fs::remove(world.relay().keys() / "thermo.pem");
  CHECK_FALSE(goes_to_remote(second));
}

TEST_CASE("keys in PKCS#8, SEC1 and PKCS#1 form all work") {
  World world;
  const auto use = [&](const Identity& identity, const std::string& id, std::vector<std::string> convert) {
    const auto converted = run({.argv = std::move(convert)});
    REQUIRE(converted.status.code == 0);
    world.relay().give_file(id + ".pem", converted.out);
    auto device = world.device(identity);
    device.join(id);
    CHECK(world.remote->user_of(id) == identity.name);
  };
  for (const std::string type : {"p256", "p384", "p521"}) {
    const auto identity = device_identity(type, 1);
    use(identity, "sec1-" + type, {"openssl", "ec", "-in", identity.key});
  }
  const auto rsa = device_identity("rsa2048", 1);
  use(rsa, "pkcs1", {"openssl", "rsa", "-in", rsa.key, "-traditional"});
  use(rsa, "pkcs8", {"openssl", "pkcs8", "-topk8", "-nocrypt", "-in", rsa.key});
}
