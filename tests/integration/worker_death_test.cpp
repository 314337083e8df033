// A worker that dies ends only its own sessions, and is replaced.

#include <signal.h>

#include <map>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

struct Session {
  std::string id;
  Device device;
  int worker = -1;
};

// The audit log says which worker looked up a client id's key.
int worker_of(World& world, const std::string& client_id) {
  return world.relay()
      .audit()
      .wait_json(
          [&](const Json& j) { return j.value("event", "") == "lookup" && j.value("client_id", "") == client_id; },
          "the lookup of " + client_id)
      .at("worker")
      .get<int>();
}

Session connect(World& world, const std::string& id) {
  const auto identity = device_identity("p256", 1);
  world.give_key(id, identity);
  Session session{id, world.device(identity)};
  const mqtt::Will will{.topic = "any/will", .payload = id, .qos = 1};
  REQUIRE(mqtt::connack_code(session.device.connect({.client_id = id, .will = will})) == 0);
  session.worker = worker_of(world, id);
  return session;
}

// The kernel spreads connections by their port, so this opens connections until each of two workers has two.
std::vector<Session> sessions_on_both(World& world) {
  std::vector<Session> sessions;
  std::map<int, int> count;
  while (count[0] < 2 || count[1] < 2) {
    REQUIRE(sessions.size() < 100);
    sessions.push_back(connect(world, "client-" + std::to_string(sessions.size())));
    ++count[sessions.back().worker];
  }
  return sessions;
}

}  // namespace

TEST_CASE("a worker killed by SIGKILL is replaced, its sessions end, and those of other workers continue") {
  World world({.relayd = {{"workers", 2}}});
  auto observer = world.direct(device_identity("p256", 99));
  observer.join("observer");
  REQUIRE(observer.subscribe("any/#", 1) == 1);
  auto sessions = sessions_on_both(world);
  const auto before = world.relay().workers();
  REQUIRE(before.size() == 2);

  const auto mark = world.relay().log().mark();
  REQUIRE(kill(before[0], SIGKILL) == 0);
  for (auto& session : sessions) {
    CAPTURE(session.id, session.worker);
    if (session.worker == 0) {
      CHECK(session.device.tls().read_to_end().leftover.empty());
    } else {
      session.device.publish("any/alive", session.id, 1);
    }
  }
  // The remote saw how each session ended: wills from the dead worker's devices, messages from the others.
  std::map<std::string, std::string> heard;
  for (size_t i = 0; i < sessions.size(); ++i) {
    const auto message = observer.next_message();
    heard[message.payload] = message.topic;
  }
  for (const auto& session : sessions) CHECK(heard[session.id] == (session.worker == 0 ? "any/will" : "any/alive"));

  const auto died = world.relay().log().wait_json([](const Json& j) { return j.value("msg", "") == "worker died"; },
                                                  "\"worker died\"", mark);
  CHECK(died.value("worker", -1) == 0);
  CHECK(died.value("pid", -1) == before[0]);
  const auto successor = world.relay().wait_worker_started(0, mark);
  CHECK(successor != before[0]);
  CHECK(world.relay().workers() == std::vector<pid_t>{successor, before[1]});
  CHECK(world.relay().relayd().running());
}

TEST_CASE("connections that arrive after a worker's SIGKILL wait in its queue, and its successor serves them") {
  World world({.relayd = {{"workers", 2}}});
  const auto identity = device_identity("p256", 1);
  const auto mark = world.relay().log().mark();
  for (const auto pid : world.relay().workers()) REQUIRE(kill(pid, SIGKILL) == 0);
  // No worker runs now; the supervisor holds the sockets.
  const auto context = TlsContext::client(&identity, authorities().root);
  std::vector<TlsStream> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(TlsStream::open(world.relay().endpoint(), context));
  std::map<int, int> served;
  for (size_t i = 0; i < waiting.size(); ++i) {
    const auto id = "client-" + std::to_string(i);
    world.give_key(id, identity);
    waiting[i].handshake();
    Device device(std::move(waiting[i]));
    device.join(id);
    ++served[worker_of(world, id)];
  }
  CHECK(served.size() == 2);
  world.relay().wait_worker_started(0, mark);
  world.relay().wait_worker_started(1, mark);
}

TEST_CASE("workers exit when their supervisor dies") {
  World world({.relayd = {{"workers", 2}}});
  auto session = connect(world, "thermo");
  world.relay().relayd().kill();
  CHECK(session.device.tls().read_to_end().leftover.empty());
  world.relay().log().wait_end();
}

TEST_CASE("relayd can restart on its port at once, even if devices were connected") {
  World world;
  for (int i = 0; i < 3; ++i) {
    auto session = connect(world, "thermo-" + std::to_string(i));
    if (i % 2) {
      world.relay().relayd().kill();
      session.device.tls().read_to_end();
    }
    world.relay().start_relayd();
  }
  connect(world, "last");
}
