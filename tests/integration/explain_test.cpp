// `mqtt-relay explain`: why was this device last refused or closed?
#include <signal.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/office.h"

using namespace harness;

namespace {

// As JSON, which a pipe gets.
Json explained(Office& office, const std::string& client_id) {
  const auto asked =
      office.ask({"explain", client_id, "--keyd-config", office.world.relay().keyd_configuration().string()});
  CAPTURE(asked.out, asked.err);
  REQUIRE(asked.status.code == 0);
  return Json::parse(asked.out);
}

bool has(const Json& text, const std::string& part) { return text.get<std::string>().find(part) != std::string::npos; }

}  // namespace

TEST_CASE("explain says that a device was refused for a key that is not its own, and how to mend it") {
  const TempDir audit;
  fs::permissions(audit / "", fs::perms::all);  // keyd runs as another user
  Office office(2, Json::object(), {{"audit_file", audit / "audit.log"}});
  World& world = office.world;
  const auto identity = device_identity("p256", 1), other = device_identity("p256", 2);
  world.give_key("dev-1", other);
  CHECK(world.refusal(identity, "dev-1", mqtt::v5) == 0x87);
  const Json told = explained(office, "dev-1");
  CAPTURE(told);
  CHECK(has(told.at("explanation"), "The device dev-1 was last refused at "));
  CHECK(has(told.at("explanation"), "key dev-1.pem does not match the certificate that dev-1 presented"));
  CHECK(has(told.at("fix"), "mqtt-relay keys import --replace --as=dev-1"));
  CHECK(told.at("denial").at("result") == "mismatch");
  CHECK(has(told.at("explanation"), "lookup answered mismatch"));
  CHECK(told.at("ending").at("device").get<std::string>().starts_with("127.0.0.1:"));
  CHECK(told.at("ending").at("common_name") == "p256-1");
  CHECK_FALSE(told.contains("session"));
}

TEST_CASE("explain remembers across a worker's death and a reload, and says what the device does now") {
  Office office(1);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-1", identity);
  {
    auto device = world.device(identity);
    device.join("dev-1");
    REQUIRE(office.ask({"drop", "dev-1"}).status.code == 0);
    device.tls().read_to_end();
  }
  CHECK(has(explained(office, "dev-1").at("explanation"), "had a session, which ended"));
  const auto mark = world.relay().log().mark();
  REQUIRE(kill(world.relay().workers().at(0), SIGKILL) == 0);
  world.relay().wait_worker_started(0, mark);
  REQUIRE(office.ask({"reload"}).status.code == 0);
  auto again = world.device(identity);
  again.join("dev-1");
  const Json told = explained(office, "dev-1");
  CAPTURE(told);
  CHECK(has(told.at("explanation"), "dev-1 is connected now"));
  CHECK(has(told.at("explanation"), "closed by the operator"));
  CHECK(told.at("session").at("state") == "relaying");
}

TEST_CASE("explain names a device by the common name in its certificate if that was refused") {
  Office office(1);
  World& world = office.world;
  const auto expired = expired_device("p256");
  CHECK_THROWS(world.device(expired).join("dev-1"));
  const Json told = explained(office, expired.name);
  CAPTURE(told);
  CHECK(has(told.at("explanation"), "common name " + expired.name + " (which nothing proves)"));
  CHECK(has(told.at("explanation"), "expired"));
}

TEST_CASE("explain says what it means that nothing is known") {
  Office office(1);
  const Json told = explained(office, "nobody");
  CAPTURE(told);
  CHECK(has(told.at("explanation"), "relayd remembers no end of a connection of nobody"));
  CHECK(has(told.at("explanation"), "journalctl -u mqtt-relayd"));
  CHECK(told.at("remembered_devices") == 256);
}
