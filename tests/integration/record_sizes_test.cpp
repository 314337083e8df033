// The size of the records sent to a device, which may have a buffer of only 2 or 4 KiB for them.

#include <openssl/ssl.h>
#include <openssl/tls1.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// The most that a cipher suite of TLS 1.2 or 1.3 adds to a record's plaintext: nonce, tag, content type.
constexpr size_t kExpansion = 8 + 16 + 1;

// A QoS 0 PUBLISH.
std::string publish_of(size_t payload) {
  return mqtt::publish({.topic = "any/x", .payload = std::string(payload, 'y')});
}

size_t largest(const std::vector<Record>& records, size_t from = 0) {
  size_t most = 0;
  for (size_t i = from; i < records.size(); i++) most = std::max(most, records[i].body.size());
  return most;
}

// A session between a device that sees its records and a remote played by the test.
struct Scene {
  Scene(TlsVersion version, const Json& listener, uint8_t max_fragment_length)
      : world({.relayd = {{"listener", listener}}, .remote = RemoteKind::captured, .local = false}),
        device(connect(version, max_fragment_length)),
        remote(world.captured->accept()) {
    remote.read_packet();
    remote.send(connack_accepted);
    device.read(connack_accepted.size());
    handshake_records = device.seen().size();
  }
  RawTls connect(TlsVersion version, uint8_t max_fragment_length) {
    world.give_key("thermo", identity);
    const auto context = TlsContext::client(&identity, authorities().root, version);
    SSL_CTX_set_tlsext_max_fragment_length(context.get(), max_fragment_length);
    auto made = RawTls::client(RawSocket(world.relay().endpoint()), context);
    made.handshake();
    made.socket().send(made.encrypt(mqtt::connect({.client_id = "thermo"})));
    return made;
  }

  Identity identity = device_identity("p256", 1);
  World world;
  RawTls device;
  TlsStream remote;
  size_t handshake_records = 0;
};

}  // namespace

TEST_CASE("a device that asks for small records gets no larger ones, neither in the handshake nor after it") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  Scene scene(version, Json::object(), TLSEXT_max_fragment_length_512);
  const auto message = publish_of(20000);
  scene.remote.send(message);
  CHECK(scene.device.read(message.size()) == message);
  CHECK(largest(scene.device.seen()) <= 512 + kExpansion);
}

TEST_CASE("max_record bounds the records sent to a device that asks for no limit, but not those that it sends") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  Scene scene(version, {{"max_record", "1KB"}}, TLSEXT_max_fragment_length_DISABLED);
  const auto message = publish_of(20000);
  scene.remote.send(message);
  CHECK(scene.device.read(message.size()) == message);
  CHECK(largest(scene.device.seen()) <= 1024 + kExpansion);

  scene.device.socket().send(scene.device.encrypt(message));  // in records of 16 KiB
  CHECK(scene.remote.read_packet().bytes == message);
}

TEST_CASE("data that a broker sends in small records reaches the device in records that are no larger") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  Scene scene(version, Json::object(), TLSEXT_max_fragment_length_DISABLED);
  const auto message = publish_of(300);
  std::string all;
  for (int i = 0; i < 200; i++) {
    scene.remote.send(message);  // one record each, as mosquitto sends them
    all += message;
  }
  CHECK(scene.device.read(all.size()) == all);
  CHECK(largest(scene.device.seen(), scene.handshake_records) <= message.size() + kExpansion);
}

TEST_CASE("data that a broker sends in large records reaches the device in large records") {
  Scene scene(TlsVersion::v1_3, Json::object(), TLSEXT_max_fragment_length_DISABLED);
  const auto message = publish_of(160000);
  scene.remote.send(message);
  CHECK(scene.device.read(message.size()) == message);
  CHECK(largest(scene.device.seen(), scene.handshake_records) == 16 * 1024 + 17);
  CHECK(scene.device.seen().size() - scene.handshake_records <= 12);
}

TEST_CASE("a local broker's small packets are not joined into large records") {
  World world;
  const auto identity = device_identity("p256", 1);
  auto device = RawTls::client(RawSocket(world.relay().endpoint()), TlsContext::client(&identity, authorities().root));
  device.handshake();
  device.socket().send(device.encrypt(mqtt::connect({.client_id = "thermo"}) + mqtt::subscribe(1, "any/#", 0)));
  device.read(connack_accepted.size() + 5);
  const size_t before = device.seen().size();
  const auto message = publish_of(300);
  std::string all;
  for (int i = 0; i < 100; i++) all += message;
  device.socket().send(device.encrypt(all));  // the broker sends each message back
  CHECK(device.read(all.size()) == all);
  CHECK(largest(device.seen(), before) <= message.size() + kExpansion);
}
