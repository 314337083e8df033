// Cipher suites and key exchanges as settings of listener and remote, with OpenSSL and mbedTLS as peers.

#include <openssl/ssl.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/mcu_device.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr int kEcdsaCcm8 = 0xc0ae;  // IANA's number of TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8

struct Offer {
  std::string suite;  // OpenSSL's name; "" for its default list
  TlsVersion version = TlsVersion::any;
  std::string groups = "";  // "" for OpenSSL's default list
};

TlsStream offering(World& world, const Identity& identity, const Offer& offer) {
  auto context = TlsContext::client(&identity, authorities().root, offer.version);
  SSL_CTX* openssl = context.get();
  SSL_CTX_set_security_level(openssl, 0);  // of an 8-byte tag OpenSSL thinks little
  if (!offer.suite.empty()) {
    const bool tls13 = offer.version == TlsVersion::v1_3;
    REQUIRE((tls13 ? SSL_CTX_set_ciphersuites : SSL_CTX_set_cipher_list)(openssl, offer.suite.c_str()) == 1);
  }
  if (!offer.groups.empty()) REQUIRE(SSL_CTX_set1_groups_list(openssl, offer.groups.c_str()) == 1);
  return TlsStream::open(world.relay().endpoint(), context);
}

bool is_served(World& world, const Offer& offer) {
  auto stream = offering(world, device_identity("p256", 1), offer);
  try {
    stream.handshake();
  } catch (const Failure&) {
    return false;
  }
  return true;
}

Json listener(const Json& settings) { return {{"listener", settings}}; }

}  // namespace

TEST_CASE("by default a listener has no AES-CCM suite, and takes every AES-GCM and ChaCha20 suite") {
  World world;
  for (const char* suite : {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"})
    CHECK(is_served(world, {suite, TlsVersion::v1_3}));
  for (const char* suite :
       {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"})
    CHECK(is_served(world, {suite, TlsVersion::v1_2}));
  for (const char* suite : {"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"})
    CHECK_FALSE(is_served(world, {suite, TlsVersion::v1_3}));
  for (const char* suite : {"ECDHE-ECDSA-AES128-CCM", "ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES256-CCM8"})
    CHECK_FALSE(is_served(world, {suite, TlsVersion::v1_2}));
}

TEST_CASE("the order of listener.ciphers decides, and a suite that is not in it is refused") {
  World world({.relayd = listener(
                   {{"ciphers",
                     {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"}}})});
  const auto identity = device_identity("p256", 1);
  auto usual = offering(world, identity, {"", TlsVersion::v1_3});
  usual.handshake();
  CHECK(usual.cipher() == "TLS_AES_128_GCM_SHA256");  // OpenSSL itself prefers TLS_AES_256_GCM_SHA384
  CHECK(is_served(world, {"TLS_CHACHA20_POLY1305_SHA256", TlsVersion::v1_3}));
  CHECK(is_served(world, {"ECDHE-ECDSA-AES128-GCM-SHA256", TlsVersion::v1_2}));

  auto refused = offering(world, identity, {"TLS_AES_256_GCM_SHA384", TlsVersion::v1_3});
  const auto ending = refused.refused_handshake();
  CHECK(ending.how == Ending::alert);
  CHECK(ending.alert_code == 40);  // handshake_failure
  CHECK_FALSE(is_served(world, {"ECDHE-ECDSA-AES256-GCM-SHA384", TlsVersion::v1_2}));
}

TEST_CASE("a device of every key type can use a listener whose suites name ECDSA only") {
  World world({.relayd = listener({{"versions", {"tlsv1.2"}}, {"ciphers", {"ECDHE-ECDSA-AES128-GCM-SHA256"}}})});
  for (const auto& type : key_types) {
    CAPTURE(type);
    const auto identity = device_identity(type, 1);
    world.give_key("client-" + type, identity);
    auto device = world.device(identity, TlsVersion::v1_2);
    device.join("client-" + type);
    CHECK(world.remote->user_of("client-" + type) == identity.name);
  }
}

TEST_CASE("with AES-CCM suites configured, keyd believes the presence of a device and signs for it") {
  const auto [suite, version] =
      GENERATE(table<std::string, TlsVersion>({{"TLS_AES_128_CCM_SHA256", TlsVersion::v1_3},
                                               {"TLS_AES_128_CCM_8_SHA256", TlsVersion::v1_3},
                                               {"ECDHE-ECDSA-AES128-CCM", TlsVersion::v1_2},
                                               {"ECDHE-ECDSA-AES128-CCM8", TlsVersion::v1_2},
                                               {"ECDHE-ECDSA-AES256-CCM8", TlsVersion::v1_2}}));
  CAPTURE(suite);
  World world({.relayd = listener({{"ciphers", {suite, "TLS_AES_128_GCM_SHA256"}}})});
  const auto identity = device_identity("p256", 1);
  world.give_key("meter", identity);
  auto stream = offering(world, identity, {suite, version});
  stream.handshake();
  CHECK(stream.cipher() == suite);
  stream.send(mqtt::connect({.client_id = "meter"}));
  CHECK(stream.read_packet().bytes == connack_accepted);
  CHECK(world.remote->user_of("meter") == identity.name);
}

TEST_CASE("keyd's notary reads a handshake with the remote in AES-CCM, for bind_remote") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const std::string suite = version == TlsVersion::v1_3 ? "TLS_AES_128_CCM_SHA256" : "ECDHE-ECDSA-AES128-CCM";
  const TempDir directory;
  const auto root = directory.path() / "root.pem";  // keyd's user reads it
  fs::copy_file(authorities().root, root);
  World world({.keyd = {{"bind_remote", {{"remote_host", own_address()}, {"cacertfile", root.string()}}}},
               .relayd = {{"remote", {{"ciphers", {suite}}}}},
               .remote_version = version,
               .remote_more = version == TlsVersion::v1_3 ? "ciphers_tls1.3 " + suite : "ciphers " + suite});
  const auto identity = device_identity("p256", 1);
  world.give_key("meter", identity);
  auto device = world.device(identity);
  device.join("meter");
  CHECK(world.remote->user_of("meter") == identity.name);
}

TEST_CASE("an mbedTLS device that has AES-CCM-8 only is served once the listener allows it") {
  const auto identity = device_identity("p256", 1);
  const bool allowed = GENERATE(false, true);
  World world({.relayd = allowed ? listener({{"ciphers", {"TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"}}}) : Json::object()});
  world.give_key("meter", identity);
  const auto connect = [&] {
    return mcu_device(McuStack::mbedtls, 2048, world.relay().endpoint(), identity, world.relay().options().listener,
                      kEcdsaCcm8);
  };
  if (!allowed) {
    CHECK_THROWS_AS(connect(), Failure);
    return;
  }
  const auto device = connect();
  device->send(mqtt::connect({.client_id = "meter"}));
  CHECK(device->read(4) == connack_accepted);
}

TEST_CASE("a listener takes the key exchanges of listener.groups only") {
  // With TLS 1.2, OpenSSL expects the curve of an ECDSA certificate among its own groups.
  World world({.relayd = listener({{"groups", {"P-256", "X25519"}}}), .listener_type = "rsa2048"});
  for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
    CAPTURE(version);
    CHECK(is_served(world, {"", version, "X25519"}));
    CHECK(is_served(world, {"", version, "P-256"}));
    CHECK_FALSE(is_served(world, {"", version, "P-384"}));
  }
}
