// It makes no difference what shares a segment with a handshake message, or how messages are split into records.

#include <openssl/ssl.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr uint8_t kBadCertificate = 42;

// A remote whose records the test controls, and a device that has just sent its CONNECT through the relay.
struct Scene {
  explicit Scene(TlsVersion version)
      : world({.remote = RemoteKind::captured, .local = false, .remote_version = version}),
        device((world.give_key("thermo", identity), world.device(identity))),
        remote((device.tls().send(mqtt::connect({.client_id = "thermo"})),
                RawTls::server(RawSocket(world.captured->accept_socket()), world.captured->context()))) {}

  Identity identity = device_identity("p256", 1);
  World world;
  Device device;
  RawTls remote;
};

RawTls raw_device(World& world, TlsVersion version) {
  const auto identity = device_identity("p256", 1);
  return RawTls::client(RawSocket(world.relay().endpoint()),
                        TlsContext::client(&identity, authorities().root, version));
}

}  // namespace

TEST_CASE("a device's alert in the same segment as its ClientHello is read even while keyd is working") {
  World world({.remote = RemoteKind::none, .local = false});
  auto device = raw_device(world, TlsVersion::v1_2);
  device.socket().send(device.step() + fatal_alert(kBadCertificate));
  world.relay().log().wait_text("sent the TLS alert bad_certificate (42)");
}

TEST_CASE("a remote broker's alert in the same segment as its flight is read even while keyd is working") {
  Scene scene(TlsVersion::v1_2);
  REQUIRE(scene.remote.receive());
  scene.remote.socket().send(scene.remote.step() + fatal_alert(kBadCertificate));
  scene.world.relay().log().wait_text("sent the TLS alert bad_certificate (42)");
  CHECK(scene.device.tls().read_packet().bytes == std::string("\x20\x02\x00\x05", 4));
}

TEST_CASE("data that a remote broker sends before the device's Finished reaches the device") {
  Scene scene(TlsVersion::v1_3);
  REQUIRE(scene.remote.receive());
  scene.remote.socket().send(scene.remote.flight_and_data(connack_accepted));
  CHECK(scene.device.tls().read_packet().bytes == connack_accepted);
}

TEST_CASE("a device may split its handshake messages into records anywhere") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const size_t size = GENERATE(1, 3, 5);
  World world({.remote = RemoteKind::none, .local = false});
  auto device = raw_device(world, version);
  device.handshake([&](std::string bytes) { return cut_handshake(std::move(bytes), size); });
  device.socket().send(device.encrypt(mqtt::connect({.client_id = "thermo"})));
  CHECK(device.read(connack_accepted.size()) == connack_accepted);
}

TEST_CASE("a remote broker may split its handshake messages into records anywhere") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const size_t size = GENERATE(1, 3, 5);
  Scene scene(version);
  scene.remote.handshake([&](std::string bytes) { return cut_handshake(std::move(bytes), size); });
  scene.remote.socket().send(scene.remote.encrypt(connack_accepted));
  CHECK(scene.device.tls().read_packet().bytes == connack_accepted);
}

TEST_CASE("a TLS 1.3 device with a session id gets the change_cipher_spec that middleboxes expect") {
  World world({.remote = RemoteKind::none, .local = false});
  auto device = raw_device(world, TlsVersion::v1_3);
  device.handshake();
  // RFC 8446 appendix D.4: after the ServerHello, and once
  REQUIRE(device.seen().size() > 2);
  CHECK(device.seen()[0].type == record_type::handshake);
  CHECK(device.seen()[1].type == record_type::change_cipher_spec);
  CHECK(device.seen()[1].body == "\x01");
  for (size_t i = 2; i < device.seen().size(); i++) CHECK(device.seen()[i].type == record_type::application_data);
}

TEST_CASE("a TLS 1.2 remote that asks to renegotiate is refused, the log says so, and the session continues") {
  Scene scene(TlsVersion::v1_2);
  SSL_clear_options(scene.remote.get(), SSL_OP_NO_RENEGOTIATION);
  scene.remote.handshake();
  scene.remote.socket().send(scene.remote.encrypt(connack_accepted));
  CHECK(scene.device.tls().read_packet().bytes == connack_accepted);
  const size_t before = scene.remote.seen().size();
  REQUIRE(SSL_renegotiate(scene.remote.get()) == 1);
  scene.remote.socket().send(scene.remote.step());  // HelloRequest
  const auto message = mqtt::publish({.topic = "any/x", .payload = "on"});
  scene.remote.socket().send(scene.remote.encrypt(message));
  CHECK(scene.device.tls().read_packet().bytes == message);
  scene.world.relay().log().wait_text("asked for a TLS 1.2 renegotiation; relayd declined it");
  while (scene.remote.seen().size() == before || scene.remote.seen().back().type != record_type::alert)
    REQUIRE(scene.remote.receive());
}
