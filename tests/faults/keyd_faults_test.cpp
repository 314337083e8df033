// keyd dies or hangs while a fleet publishes; established sessions do not need it.

#include <signal.h>

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;
namespace mqtt = harness::mqtt;

TEST_CASE("keyd killed under load disturbs no session, and new devices are served once it is back") {
  Stage stage;
  const auto identity = harness::device_identity("p256", 1);
  stage.world().give_key("newcomer", identity);
  stage.relay().keyd().kill();
  stage.fleet().wait_progress(stage.fleet().size() * 4, stage.patience());
  CHECK(stage.fleet().disturbed().empty());

  stage.relay().start_keyd();
  auto newcomer = stage.world().device(identity);
  newcomer.join("newcomer");
  newcomer.publish("any/newcomer-works", "yes", 2);
  CHECK(stage.finish().disturbed == 0);
}

TEST_CASE("keyd stopped for longer than sign_timeout disturbs no session, new devices are refused, never local") {
  Stage stage({.relayd = {{"sign_timeout", "1s"}}});
  const auto identity = harness::device_identity("p256", 1);
  for (const char* id : {"new-3", "new-5", "again"}) stage.world().give_key(id, identity);
  // Their TLS handshakes are done; keyd has not looked up their keys.
  auto new_3 = stage.world().device(identity), new_5 = stage.world().device(identity);
  stage.relay().keyd().signal(SIGSTOP);
  CHECK(mqtt::connack_code(new_3.connect({.client_id = "new-3"})) == 3);
  CHECK(mqtt::connack_code(new_5.connect({.client_id = "new-5", .level = mqtt::v5})) == 0x88);
  // A new handshake, which needs a signature, fails within the time limit, too.
  const auto context = harness::TlsContext::client(&identity, harness::authorities().root);
  harness::TlsStream::open(stage.relay().endpoint(), context).refused_handshake();
  stage.fleet().wait_progress(stage.fleet().size() * 4, stage.patience());
  CHECK(stage.fleet().disturbed().empty());

  stage.relay().keyd().signal(SIGCONT);
  auto again = stage.world().device(identity);
  again.join("again");
  CHECK(stage.finish().disturbed == 0);
}
