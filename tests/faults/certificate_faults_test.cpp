// Devices whose certificate has expired or is revoked, before they connect and while they are connected.

#include <signal.h>

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;
using namespace harness;

namespace {

// RFC 8446 section 6. It defines certificate_revoked, too, but wolfSSL sends that only with its OpenSSL layer.
constexpr int alert_certificate_revoked = 44, alert_certificate_expired = 45;
constexpr int reason_not_authorized = 0x87;

// A CRL counts only if its issuer is a known CA, so cacertfile also contains the device CA.
struct Revocable {
  TempDir scratch;
  fs::path crl = scratch / "devices.crl";
  Json listener;

  Revocable() {
    write_file(scratch / "cas.pem", read_file(authorities().root) + read_file(authorities().device_ca));
    write_crl(crl, {});
    listener = {{"cacertfile", scratch / "cas.pem"}, {"crlfile", crl}};
  }
  // Replaces the CRL and makes relayd reload it.
  void revoke(Relay& relay, const Identity& device) const {
    write_crl(crl, {device});
    const auto mark = relay.log().mark();
    relay.relayd().signal(SIGHUP);
    relay.log().wait_text("\"relayd reloaded\"", mark);
  }
};

int alert_for(Relay& relay, const Identity& device, TlsVersion version) {
  auto stream = TlsStream::open(relay.endpoint(), TlsContext::client(&device, authorities().root, version));
  const auto ending = stream.refused_handshake();
  return ending.how == Ending::alert ? ending.alert_code : -1;
}

}  // namespace

TEST_CASE("a device with an expired certificate gets the alert that says so, and no session is disturbed") {
  Stage stage;
  const auto expired = expired_device("p256");
  for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3})
    CHECK(alert_for(stage.relay(), expired, version) == alert_certificate_expired);
  CHECK(stage.finish().disturbed == 0);
}

TEST_CASE("after a reload a revoked certificate is refused, the log says why, and existing sessions continue") {
  const Revocable revocable;
  Stage stage({.relayd = {{"listener", revocable.listener}}});
  const auto identity = device_identity("p256", 50);
  stage.world().give_key("revoked", identity);
  auto up = stage.world().device(identity);
  up.join("revoked");

  revocable.revoke(stage.relay(), identity);
  for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
    const auto mark = stage.relay().log().mark();
    CHECK(alert_for(stage.relay(), identity, version) == alert_certificate_revoked);
    stage.relay().log().wait_text(" was revoked on ", mark);
  }
  up.ping();
  const auto another = device_identity("p256", 51);
  stage.world().give_key("another", another);
  auto other = stage.world().device(another);
  other.join("another");
  CHECK(stage.finish().disturbed == 0);
}

TEST_CASE("with crl_disconnect a reload ends the sessions of a revoked certificate, and no others") {
  Revocable revocable;
  revocable.listener["crl_disconnect"] = true;
  Stage stage({.relayd = {{"listener", revocable.listener}}});
  const auto identity = device_identity("p256", 50);
  stage.world().give_key("revoked", identity);
  auto up = stage.world().device(identity);
  up.join("revoked", mqtt::v5);

  revocable.revoke(stage.relay(), identity);
  const auto last = up.tls().read_packet();
  CHECK(last.type() == mqtt::Type::disconnect);
  CHECK(static_cast<uint8_t>(last.body.at(0)) == reason_not_authorized);
  CHECK(up.tls().read_to_end().leftover.empty());
  CHECK(alert_for(stage.relay(), identity, TlsVersion::any) == alert_certificate_revoked);
  CHECK(stage.finish().disturbed == 0);
}
