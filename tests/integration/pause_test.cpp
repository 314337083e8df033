// `mqtt-relay pause`: new connections wait, sessions go on.
#include <signal.h>

#include <algorithm>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/office.h"
#include "tests/integration/harness/raw_tls.h"

using namespace harness;

namespace {

const Endpoint kMetrics{own_address(), ports::direct};

std::string readyz() {
  RawSocket socket(kMetrics);
  socket.send("GET /readyz HTTP/1.1\r\nHost: relay\r\n\r\n");
  return socket.receive_to_end();
}

void wait_until_ready(bool ready) {
  for (const Deadline deadline = patience(); readyz().starts_with("HTTP/1.1 200 ") != ready;)
    if (deadline.over()) throw Failure("/readyz says " + readyz());
}

// The workers have obeyed every order that was sent before, because they answer in order.
ptrdiff_t connections(Office& office) {
  const auto asked = office.ask({"sessions"});
  REQUIRE(asked.status.code == 0);
  return std::ranges::count(asked.out, '\n');
}

void wait_for_connections(Office& office, ptrdiff_t count) {
  for (const Deadline deadline = patience(); connections(office) != count;)
    if (deadline.over()) throw Failure("not " + std::to_string(count) + " connections");
}

}  // namespace

TEST_CASE("pause lets new connections wait and sessions go on, through a reload and a worker's death, until resume") {
  Office office(1, {{"metrics", {{"bind", kMetrics.text()}}}});
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-1", identity);
  auto device = world.device(identity);
  device.join("dev-1");
  wait_until_ready(true);

  const auto paused = office.ask({"pause"});
  CAPTURE(paused.out, paused.err);
  REQUIRE(paused.status.code == 0);
  CHECK(paused.out.starts_with("paused "));
  CHECK(office.ask({"pause"}).out == "it was paused already\n");
  CHECK(connections(office) == 1);
  RawSocket waiting(world.relay().endpoint());  // the kernel has accepted it
  CHECK(connections(office) == 1);
  device.ping();
  wait_until_ready(false);
  CHECK(readyz().ends_with("\r\n\r\npaused\n"));
  const Json status = Json::parse(office.ask({"status"}).out);
  CHECK(status.at("paused").size() == 1);

  REQUIRE(office.ask({"reload"}).status.code == 0);
  RawSocket later(world.relay().endpoint());
  CHECK(connections(office) == 1);
  device.ping();
  const auto mark = world.relay().log().mark();
  REQUIRE(kill(world.relay().workers().at(0), SIGKILL) == 0);
  world.relay().wait_worker_started(0, mark);
  wait_for_connections(office, 1);  // the device's session is the older generation's
  RawSocket last(world.relay().endpoint());
  CHECK(connections(office) == 1);

  const auto resumed = office.ask({"resume"});
  CHECK(resumed.status.code == 0);
  CHECK(resumed.out.starts_with("resumed "));
  wait_until_ready(true);
  auto newcomer = world.device(identity);
  newcomer.join("local-1");
  CHECK(Json::parse(office.ask({"status"}).out).at("paused").empty());
  CHECK(office.ask({"resume"}).out == "nothing was paused\n");
}

TEST_CASE("pause of an unknown listener is refused, with the list of listeners") {
  Office office(1);
  const auto unknown = office.ask({"pause", "--listener", "nope"});
  CAPTURE(unknown.out, unknown.err);
  CHECK(unknown.status.code == 1);
  CHECK(unknown.err.find("found the listener \"nope\"; relayd has: ") != std::string::npos);
}
