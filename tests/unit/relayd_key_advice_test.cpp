// What the log tells an operator about a key that keyd did not use.
#include "relayd/session/key_advice.h"

using relayd::advice_on_key;

namespace {
constexpr ipc::Spki kSpki{0x1a, 0x2b, 0x3c, 0x4d, 0x5e, 0x6f, 0x70, 0x81, 0x92};
}

TEST_CASE("advice on a key: a mismatch names key, device and certificate, and the command that mends it") {
  const auto [problem, fix] = advice_on_key(ipc::Status::mismatch, "dev7", kSpki);
  CHECK(problem == "key dev7.pem does not match the certificate that dev7 presented (SPKI 1a2b3c4d5e6f7081…)");
  CHECK(fix == "install the device's key again: `mqtt-relay keys import --replace --as=dev7 KEYFILE`");
}

TEST_CASE("advice on a key: each answer of keyd has a problem, and all but a newer connection a fix") {
  using enum ipc::Status;
  for (const auto status : {mismatch, unusable, denied, busy, malformed, internal, superseded}) {
    CAPTURE(ipc::name(status));
    const auto [problem, fix] = advice_on_key(status, "dev7", kSpki);
    CHECK_FALSE(problem.empty());
    CHECK(fix.empty() == (status == superseded));
  }
}

TEST_CASE("advice on a key: a client id can't become a command in the operator's shell") {
  CHECK(advice_on_key(ipc::Status::unusable, "a;reboot", kSpki).fix == "`mqtt-relay keys 'a;reboot'` says why");
  CHECK(advice_on_key(ipc::Status::unusable, "$(reboot)'x", kSpki).fix ==
        "`mqtt-relay keys '$(reboot)'\\''x'` says why");
  CHECK(advice_on_key(ipc::Status::unusable, "--help", kSpki).fix == "`mqtt-relay keys -- --help` says why");
}
