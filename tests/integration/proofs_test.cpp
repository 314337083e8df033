// Certificate chains are public; only CertificateVerify proves that the peer has the key. However often a chain was
// accepted before, each handshake needs its own proof, on both sides.

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/tampering_client.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr TlsVersion kVersions[] = {TlsVersion::v1_2, TlsVersion::v1_3};
constexpr int kUnexpectedMessage = 10, kDecryptError = 51;

// A key with the public half of `shown`, so that OpenSSL accepts it for the certificate, and the private half of
// `signing`.
pki::Key impostor(const pki::Key& shown, const pki::Key& signing) {
  uint8_t point[256];
  size_t size = 0;
  BIGNUM* secret = nullptr;
  REQUIRE(EVP_PKEY_get_octet_string_param(shown.get(), OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size) == 1);
  REQUIRE(EVP_PKEY_get_bn_param(signing.get(), OSSL_PKEY_PARAM_PRIV_KEY, &secret) == 1);
  OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, size);
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
  OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY* made = nullptr;
  REQUIRE(EVP_PKEY_fromdata_init(context) == 1);
  REQUIRE(EVP_PKEY_fromdata(context, &made, EVP_PKEY_KEYPAIR, parameters) == 1);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(build);
  BN_free(secret);
  return {made, EVP_PKEY_free};
}

struct Field {
  TempDir directory;
  pki::Identity root = field::root("Root");
  fs::path trusted = field::save_certificates(directory / "ca.pem", {root});
};

}  // namespace

TEST_CASE("proofs: a previously accepted chain does not admit a device that lacks its key") {
  Field field_;
  World world({.relayd = {{"listener", {{"cacertfile", field_.trusted}}}}, .remote = RemoteKind::none, .local = false});
  auto device = field::device(field_.root);
  const auto good = field::save(field_.directory.path(), "good", {device});
  device.key = impostor(device.key, pki::key("P-256", 77));
  const auto bad = field::save(field_.directory.path(), "bad", {device});
  for (const TlsVersion version : kVersions) {
    Device(TlsStream::connect(world.relay().endpoint(), field::client(good, version))).join("dev1");
    const auto mark = world.relay().log().mark();
    const auto ending = TlsStream::open(world.relay().endpoint(), field::client(bad, version)).refused_handshake();
    CHECK(ending.alert_code == kDecryptError);
    world.relay().log().wait_text("signed with a key that does not match its certificate", mark);
  }
}

TEST_CASE("proofs: a device that sends a chain but no CertificateVerify is refused") {
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  for (const TlsVersion version : kVersions) {
    world.device(identity, version).join("dev1");
    // A refusal of its Finished, which covers another transcript, would be decrypt_error instead.
    const auto mark = world.relay().log().mark();
    const int alert = handshake_without_certificate_verify(world.relay().endpoint(), identity, version);
    CHECK(alert == kUnexpectedMessage);
    world.relay().log().wait_text(
        version == TlsVersion::v1_3 ? "Out of order message" : "did not prove that it has the certificate's key", mark);
  }
}

TEST_CASE("proofs: a remote that lacks the key of a previously accepted chain is refused and gets no byte of MQTT") {
  Field field_;
  auto server = field::server(field_.root, "IP:" + own_address());
  const auto good = field::save(field_.directory.path(), "good", {server});
  server.key = impostor(server.key, pki::key("P-256", 78));
  const auto bad = field::save(field_.directory.path(), "bad", {server});
  for (const TlsVersion version : kVersions) {
    const Endpoint at{own_address(), ports::remote};
    auto remote = std::make_unique<CapturingRemote>(at, good, authorities().root, version);
    World world({.relayd = {{"remote", {{"cacertfile", field_.trusted}}}},
                 .remote = RemoteKind::none,
                 .local = false,
                 .remote_at = at});
    const auto identity = device_identity("p256", 1);
    world.give_key("thermo", identity);
    const auto knock = [&] {
      auto device = world.device(identity);
      device.tls().send(mqtt::connect({.client_id = "thermo"}));
      return device;
    };
    {
      auto device = knock();
      auto served = remote->accept();
      served.read_packet();
      served.send(connack_accepted);
      CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
    }
    remote.reset();
    remote = std::make_unique<CapturingRemote>(at, bad, authorities().root, version);
    auto device = knock();
    const auto ending = remote->accept_silently().refused_handshake();
    CHECK(ending.alert_code == kDecryptError);
    CHECK(mqtt::connack_code(device.tls().read_packet()) == 3);
  }
}
