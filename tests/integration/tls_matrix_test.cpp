// TLS 1.2 and 1.3 × RSA-2048, P-256, P-384 and Ed25519, for the certificates of the listener, the device and the
// remote.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

const char* name_of(TlsVersion version) { return version == TlsVersion::v1_2 ? "TLSv1.2" : "TLSv1.3"; }

// Both sides use one version, both servers' certificates have one type, and the devices all types.
void all_devices_get_through(TlsVersion version, const std::string& server_type) {
  World world({.remote = RemoteKind::captured,
               .listener_type = server_type,
               .remote_type = server_type,
               .remote_version = version});
  for (const auto& type : key_types) {
    CAPTURE(type);
    const auto identity = device_identity(type, 1);
    world.give_key("client-" + type, identity);
    auto device = world.device(identity, version);
    CHECK(device.tls().version() == name_of(version));
    device.tls().send(mqtt::connect({.client_id = "client-" + type}));
    auto remote = world.captured->accept();
    CHECK(remote.version() == name_of(version));
    remote.read_packet();
    remote.send(connack_accepted);
    CHECK(device.tls().read_packet().bytes == connack_accepted);
  }
}

// Against a real broker, with each side restricted to one version.
void real_broker_names_the_device(TlsVersion device_version, TlsVersion remote_version) {
  World world({.remote_version = remote_version});
  for (const auto& type : key_types) {
    CAPTURE(type);
    const auto identity = device_identity(type, 1);
    world.give_key("client-" + type, identity);
    auto device = world.device(identity, device_version);
    device.join("client-" + type);
    CHECK(world.remote->user_of("client-" + type) == identity.name);
  }
}

}  // namespace

TEST_CASE("TLS 1.2: devices of every key type work with RSA-2048 servers") {
  all_devices_get_through(TlsVersion::v1_2, "rsa2048");
}
TEST_CASE("TLS 1.2: devices of every key type work with P-256 servers") {
  all_devices_get_through(TlsVersion::v1_2, "p256");
}
TEST_CASE("TLS 1.2: devices of every key type work with P-384 servers") {
  all_devices_get_through(TlsVersion::v1_2, "p384");
}
TEST_CASE("TLS 1.2: devices of every key type work with Ed25519 servers") {
  all_devices_get_through(TlsVersion::v1_2, "ed25519");
}
TEST_CASE("TLS 1.3: devices of every key type work with RSA-2048 servers") {
  all_devices_get_through(TlsVersion::v1_3, "rsa2048");
}
TEST_CASE("TLS 1.3: devices of every key type work with P-256 servers") {
  all_devices_get_through(TlsVersion::v1_3, "p256");
}
TEST_CASE("TLS 1.3: devices of every key type work with P-384 servers") {
  all_devices_get_through(TlsVersion::v1_3, "p384");
}
TEST_CASE("TLS 1.3: devices of every key type work with Ed25519 servers") {
  all_devices_get_through(TlsVersion::v1_3, "ed25519");
}

TEST_CASE("a TLS 1.2 device reaches a real broker with TLS 1.2") {
  real_broker_names_the_device(TlsVersion::v1_2, TlsVersion::v1_2);
}
TEST_CASE("a TLS 1.2 device reaches a real broker with TLS 1.3") {
  real_broker_names_the_device(TlsVersion::v1_2, TlsVersion::v1_3);
}
TEST_CASE("a TLS 1.3 device reaches a real broker with TLS 1.2") {
  real_broker_names_the_device(TlsVersion::v1_3, TlsVersion::v1_2);
}
TEST_CASE("a TLS 1.3 device reaches a real broker with TLS 1.3") {
  real_broker_names_the_device(TlsVersion::v1_3, TlsVersion::v1_3);
}

TEST_CASE("a device with a version that is not in listener.versions is refused") {
  const bool only_1_3 = GENERATE(true, false);
  World world({.relayd = {{"listener", {{"versions", {only_1_3 ? "tlsv1.3" : "tlsv1.2"}}}}}});
  const auto identity = device_identity("p256", 1);
  const auto allowed = only_1_3 ? TlsVersion::v1_3 : TlsVersion::v1_2,
             other = only_1_3 ? TlsVersion::v1_2 : TlsVersion::v1_3;
  CHECK(world.device(identity, allowed).tls().version() == name_of(allowed));
  auto refused = TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root, other));
  refused.refused_handshake();
}

TEST_CASE("a remote with a version that is not in remote.versions is refused") {
  const auto identity = device_identity("p256", 1);
  World world({.relayd = {{"remote", {{"versions", {"tlsv1.3"}}}}}, .remote_version = TlsVersion::v1_2});
  world.give_key("thermo", identity);
  CHECK(world.refusal(identity, "thermo", mqtt::v311) == 3);
}

TEST_CASE("TLS 1.1 is not supported") {
  World world;
  const auto identity = device_identity("p256", 1);
  auto context = TlsContext::client(&identity, authorities().root);
  context.allow_tls_1_1_only();
  auto stream = TlsStream::open(world.relay().endpoint(), context);
  CHECK(stream.refused_handshake().how == Ending::alert);
}
