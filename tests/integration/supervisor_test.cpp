// The supervisor: when it gives up, which workers it kills, and how it exits.

#include <signal.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

TEST_CASE("if workers keep dying, relayd exits, and its last line has the first cause") {
  World world({.relayd = {{"max_restarts", 2}}});
  auto& relay = world.relay();
  for (const int signal : {SIGSEGV, SIGKILL, SIGKILL}) {
    const auto mark = relay.log().mark();
    REQUIRE(kill(relay.workers().at(0), signal) == 0);
    if (mark && relay.log().count_text("worker died") < 2) relay.wait_worker_started(0, mark);
  }
  const auto status = relay.relayd().wait();
  CHECK(status.code == 1);
  const auto last = Json::parse(relay.log().lines().back());
  CHECK(last.value("level", "") == "error");
  const std::string first =
      under_sanitizer ? "exit status 1" : "signal Segmentation fault";  // the sanitizer's runtime exits
  CHECK(last.value("msg", "") == "worker 0 died more than max_restarts times; the first cause: " + first);
}

TEST_CASE("a worker that keeps dying is quarantined, the others serve all devices, and status names it") {
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);  // relayd runs as another user
  World world({.relayd = {{"max_restarts", 2}, {"workers", 2}, {"control_socket", directory / "control.sock"}}});
  auto& relay = world.relay();
  const auto healthy = relay.workers().at(1);
  auto mark = relay.log().mark();
  for (int deaths = 1; deaths <= 3; deaths++) {
    REQUIRE(kill(relay.workers().at(0), SIGKILL) == 0);
    if (deaths < 3) relay.wait_worker_started(0, mark);
    mark = relay.log().mark();
  }
  relay.log().wait_text("relayd goes on without it for a while");
  // The kernel would lead half of them to the dead worker's socket.
  for (int i = 0; i < 32; i++) world.join("client-" + std::to_string(i));
  const auto status = Json::parse(relay.ask_relayd({"status"}).out);
  CHECK(status.at("workers").at(0).at("state") == "quarantined");
  CHECK(status.at("workers").at(1).at("pid") == healthy);

  SECTION("a reload puts a new worker in its place") {
    CHECK(relay.reload().value("msg", "") == "relayd reloaded");
    CHECK(relay.workers().size() == 2);
    for (int i = 0; i < 8; i++) world.join("again-" + std::to_string(i));
  }
  SECTION("a reload that fails leads no device to it") {
    relay.patch_relayd({{"listener", {{"certfile", "/nonexistent"}}}});
    CHECK(relay.reload().value("msg", "") == "reload failed; nothing has changed");
    for (int i = 0; i < 32; i++) world.join("again-" + std::to_string(i));
  }
}

TEST_CASE("a worker that ignores its orders is killed after retire_timeout and shutdown_timeout") {
  World world({.relayd = {{"retire_timeout", "100ms"}, {"shutdown_timeout", "100ms"}, {"worker_watchdog", "1h"}}});
  auto& relay = world.relay();
  auto session = world.join("session");
  const auto mark = relay.log().mark();
  SECTION("one that obeys closes its sessions first") {
    CHECK(relay.reload().value("msg", "") == "relayd reloaded");
    CHECK(session.tls().read_to_end().leftover.empty());
    relay.log().wait_text("generation has ended", mark);
    CHECK(relay.log().count_text("worker died") == 0);
  }
  SECTION("one that is stopped") {
    REQUIRE(kill(relay.workers().at(0), SIGSTOP) == 0);
    CHECK(relay.reload().value("msg", "") == "relayd reloaded");
    relay.log().wait_text("a retired worker still has sessions after retire_timeout", mark);
    relay.log().wait_text("a worker did not exit within shutdown_timeout; relayd kills it", mark);
    relay.log().wait_text("generation has ended", mark);
  }
  world.join("new").ping();
}

TEST_CASE("a hung worker is killed after worker_watchdog and replaced, other workers' sessions continue") {
  World world({.relayd = {{"worker_watchdog", "1s"}, {"workers", 2}}});
  auto& relay = world.relay();
  const auto before = relay.workers();
  std::vector<Device> sessions;
  for (int i = 0; i < 8; ++i) sessions.push_back(world.join("client-" + std::to_string(i)));
  const auto mark = relay.log().mark();
  REQUIRE(kill(before[0], SIGSTOP) == 0);
  relay.log().wait_text("worker hangs", mark);
  CHECK(relay.wait_worker_started(0, mark) != before[0]);
  CHECK(relay.workers()[1] == before[1]);
  world.join("new").ping();
}

TEST_CASE("a relayd that was stopped as a whole, like a frozen container, does not mistake its workers for hung ones") {
  World world({.relayd = {{"worker_watchdog", "2s"}}});
  auto& relay = world.relay();
  auto device = world.join("device");
  const auto worker = relay.workers().at(0);
  const auto supervisor = relay.relayd().pid();
  for (const pid_t pid : {worker, supervisor}) REQUIRE(kill(pid, SIGSTOP) == 0);
  CHECK_FALSE(device.tls().readable(std::chrono::milliseconds(2500)));
  REQUIRE(kill(supervisor, SIGCONT) == 0);  // it checks the worker before that can report
  CHECK_FALSE(device.tls().readable(std::chrono::milliseconds(300)));
  REQUIRE(kill(worker, SIGCONT) == 0);
  device.ping();
  CHECK(relay.log().count_text("worker hangs") == 0);
}

TEST_CASE("SIGTERM: relayd admits no device, sends 0x8B to MQTT 5 devices, closes the others and exits with 0") {
  World world;
  auto old = world.join("old");
  auto young = world.join("young", mqtt::v5);
  world.relay().relayd().signal(SIGTERM);
  const auto disconnect = young.tls().read_packet();
  CHECK(disconnect.type() == mqtt::Type::disconnect);
  CHECK(static_cast<uint8_t>(disconnect.body.at(0)) == 0x8B);
  CHECK(young.tls().read_to_end().leftover.empty());
  CHECK(old.tls().read_to_end().leftover.empty());
  world.relay().notified().wait_line("STOPPING=1", world.relay().relayd());
  CHECK(world.relay().relayd().wait().code == 0);
  const auto identity = device_identity("p256", 1);
  CHECK_THROWS(TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root)));
}

TEST_CASE("Ctrl-C stops relayd in order, and its children have no terminal") {
  World world({.relayd = {{"metrics", {{"bind", own_address() + ":" + std::to_string(ports::direct)}}}}});
  const pid_t relayd = world.relay().relayd().pid();
  const auto children = children_of(relayd);
  REQUIRE(children.size() >= 3);  // a worker, its connector, the monitor
  for (const pid_t child : children) CHECK(getsid(child) == child);
  for (const pid_t guardian : children_of(world.relay().keyd().pid())) CHECK(getsid(guardian) == guardian);
  auto device = world.join("device", mqtt::v5);
  REQUIRE(kill(-relayd, SIGINT) == 0);  // as a terminal does, to the foreground group
  CHECK(static_cast<uint8_t>(device.tls().read_packet().body.at(0)) == 0x8b);  // server shutting down
  CHECK(world.relay().relayd().wait().code == 0);
}

TEST_CASE("SIGTERM: a device that does not leave is closed after shutdown_timeout, or at once by a second SIGTERM") {
  World world({.relayd = {{"shutdown_timeout", "1m"}}});
  const auto identity = device_identity("p256", 1);
  // This device neither reads nor closes; the relay waits for its FIN.
  auto stubborn = TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
  auto session = world.join("session");
  SECTION("in time") {
    world.relay().relayd().kill();
    world.relay().patch_relayd({{"shutdown_timeout", "100ms"}});
    world.relay().start_relayd();
    auto again = world.join("session");
    world.relay().relayd().signal(SIGTERM);
    world.relay().log().wait_end();
    CHECK(world.relay().log().count_text("worker died") == 0);  // it exited by itself
  }
  SECTION("at once") {
    world.relay().relayd().signal(SIGTERM);
    world.relay().notified().wait_line("STOPPING=1", world.relay().relayd());
    world.relay().relayd().signal(SIGTERM);
  }
  CHECK(world.relay().relayd().wait().code == 0);
}

TEST_CASE("relayd reports its workers, connections and being alive to the service manager") {
  World world({.start = false});
  world.relay().options().environment = {"WATCHDOG_USEC=200000"};
  world.relay().start();
  auto& notified = world.relay().notified();
  auto& relayd = world.relay().relayd();
  notified.wait_line("WATCHDOG=1", relayd);
  notified.wait_line("WATCHDOG=1", relayd);
  auto session = world.join("session");
  while (notified.wait_line("STATUS=", relayd).find("1 workers, 1 connections, generation 1") == std::string::npos) {
  }
}
