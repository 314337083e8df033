// Tests the handshake witness itself.
#include "keyd_handshakes.h"

#include "catch.h"

TEST_CASE("what the witness records is what its client signs", "[keyd][notary]") {
  const auto ca = witness::authority("root"), device = witness::issue({}, &ca), server = witness::issue({}, &ca);
  for (const bool tls13 : {true, false})
    for (const bool retry : {true, false}) {
      CAPTURE(tls13, retry);
      auto recorded = witness::handshake(
          {.tls13 = tls13, .retry = retry, .server_schemes = "ECDSA+SHA256", .server = {server}, .client = {device}});
      CHECK(recorded.messages[0][0] == (tls13 && retry ? 254 : 1));
      CHECK(witness::is_signed_by(device, recorded));
      recorded.messages.back().back() ^= 1;
      CHECK_FALSE(witness::is_signed_by(device, recorded));
    }
}
