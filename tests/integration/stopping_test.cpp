// SIGTERM: first the listeners close, then sessions end.

#include <csignal>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

TlsStream knock(World& world) {
  const auto identity = device_identity("p256", 1);
  return TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
}

// A session of the second of two workers.
Device session_of_second(World& world) {
  for (const Deadline deadline = patience();;) {
    const auto mark = world.relay().log().mark();
    auto device = world.join("device", mqtt::v5);
    if (world.relay().session_up(mark).at("worker") == 1) return device;
    if (deadline.over()) throw Failure("the second worker serves no device");
  }
}

void wait_for_state(World& world, const std::string& state) {
  for (const Deadline deadline = patience();;) {
    const auto status = Json::parse(world.relay().ask_relayd({"status"}).out);
    if (status.at("workers").at(0).at("state") == state) return;
    if (deadline.over()) throw Failure("the worker is not " + state + ": " + status.dump());
  }
}

}  // namespace

TEST_CASE("a stop: a device that has been told to go reaches no worker, though one hangs") {
  World world({.relayd = {{"workers", 2}, {"worker_watchdog", "1h"}, {"shutdown_timeout", "1s"}}});
  {
    auto device = session_of_second(world);
    REQUIRE(kill(world.relay().workers().at(0), SIGSTOP) == 0);
    world.relay().relayd().signal(SIGTERM);
    CHECK(static_cast<uint8_t>(device.tls().read_packet().body.at(0)) == 0x8b);
    for (int i = 0; i < 32; i++)
      CHECK_THROWS_AS(knock(world), Failure);  // the kernel would choose each worker for some
  }
  CHECK(world.relay().relayd().wait().code == 0);
  CHECK(world.relay().log().count_text("workers have not closed their listeners in time") == 1);
}

TEST_CASE("a stop: a worker that dies holds up no other") {
  World world({.relayd = {{"workers", 2}, {"worker_watchdog", "1h"}}});
  {
    auto device = session_of_second(world);
    const auto first = world.relay().workers().at(0);
    REQUIRE(kill(first, SIGSTOP) == 0);
    world.relay().relayd().signal(SIGTERM);
    world.relay().log().wait_text("relayd stops");
    REQUIRE(kill(first, SIGKILL) == 0);
    CHECK(static_cast<uint8_t>(device.tls().read_packet().body.at(0)) == 0x8b);
  }
  CHECK(world.relay().relayd().wait().code == 0);
  CHECK(world.relay().log().count_text("workers have not closed their listeners in time") == 0);
}

TEST_CASE("a stop: a device whose connection no worker has accepted yet gets an answer, if it is quick") {
  const bool names_another = GENERATE(false, true);
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);  // relayd runs as another user
  World world({.relayd = {{"workers", 1},
                          {"control_socket", directory / "control.sock"},
                          {"server_reference", names_another ? "gw2.example:8883" : ""}}});
  const auto worker = world.relay().workers().at(0);
  REQUIRE(kill(worker, SIGSTOP) == 0);
  {
    auto quick = knock(world), silent = knock(world);
    quick.begin_handshake();
    world.relay().relayd().signal(SIGTERM);
    wait_for_state(world, "closing");
    REQUIRE(kill(worker, SIGCONT) == 0);
    quick.handshake();
    quick.send(mqtt::connect({.client_id = "late", .level = mqtt::v5}));
    const int code = mqtt::connack_code(quick.read_packet());
    if (code == 0)  // it got through before the worker was told to end sessions; then it is told to go
      CHECK(static_cast<uint8_t>(quick.read_packet().body.at(0)) == (names_another ? 0x9c : 0x8b));
    else CHECK(code == (names_another ? 0x9c : 0x88));
    world.relay().log().wait_text("\"why\":\"draining\"", 0, Deadline(std::chrono::seconds(5)));  // of the silent one
  }
  CHECK(world.relay().relayd().wait().code == 0);
}
