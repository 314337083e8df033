// A device gives up before its remote has answered. Its CONNECT must not arrive if the device already has a newer
// session, because it would take that session over.

#include <signal.h>

#include <set>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;
using namespace std::chrono_literals;

namespace {

const Identity& identity() {
  static const Identity made = device_identity("p256", 1);
  return made;
}

// A device that has sent CONNECT, and perhaps more, without an answer so far.
Device knock(World& world, const std::string& more = {}, int level = mqtt::v311) {
  world.give_key("thermo", identity());
  auto device = world.device(identity());
  device.tls().send(mqtt::connect({.client_id = "thermo", .level = level}) + more);
  return device;
}

void wait_closed(World& world, size_t mark = 0) {
  world.relay().log().wait_json(is_end, "an end", mark, Deadline(5s * HARNESS_PATIENCE_FACTOR));
}

class Stopped {
 public:
  explicit Stopped(Process& process) : process_(process) { process_.signal(SIGSTOP); }
  ~Stopped() { process_.signal(SIGCONT); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  Process& process_;
};

}  // namespace

TEST_CASE("when a device gives up while its remote is silent, the relay notices at once and never sends its CONNECT") {
  const char* rate = GENERATE("infinity", "100/s");  // with a rate, data read ahead is charged later
  World world({.relayd = {{"listener", {{"messages_rate", rate}}}}, .remote = RemoteKind::captured});
  const std::string more = GENERATE(std::string(), mqtt::publish({.topic = "any/t", .payload = "said too early"}));
  auto device = knock(world, more);
  auto silent = world.captured->accept_silently();
  SECTION("by close_notify") { device.tls().close_notify_and_fin(); }
  SECTION("by FIN") { device.tls().fin(); }
  SECTION("by RST") { device.tls().vanish(); }
  wait_closed(world);
  CHECK_THROWS_AS(silent.handshake(), Failure);
}

TEST_CASE("when a device gives up while keyd is still working, the relay opens no remote connection") {
  World world;
  world.give_key("thermo", identity());
  {
    auto device = world.device(identity());  // its handshake needs keyd's signature
    const Stopped keyd(world.relay().keyd());
    device.tls().send(mqtt::connect({.client_id = "thermo"}));
    device.tls().close_notify_and_fin();
    wait_closed(world);
  }
  auto next = world.device(identity());
  next.join("thermo").ping();
  CHECK(world.remote_connections() == 1);
}

TEST_CASE("a device that gives up and comes back keeps its new session, and no will is sent") {
  World world;
  world.give_key("thermo", identity());
  auto observer = world.direct(device_identity("p256", 99));
  observer.join("observer");
  REQUIRE(observer.subscribe("any/#", 1) == 1);
  const mqtt::Connect connect{.client_id = "thermo", .will = mqtt::Will{.topic = "any/will", .payload = "gone"}};
  auto impatient = world.device(identity()), patient = world.device(identity());
  {
    const Stopped remote(world.remote->process());
    impatient.tls().send(mqtt::connect(connect));
    impatient.tls().close_notify_and_fin();
    wait_closed(world);
    patient.tls().send(mqtt::connect(connect));
  }
  CHECK(mqtt::connack_code(patient.tls().read_packet()) == 0);
  patient.ping();
  CHECK(world.remote->connections_of("thermo") == 1);
  observer.ping();
  CHECK(observer.waiting_messages() == 0);
}

TEST_CASE("CONNECT, PUBLISH and DISCONNECT arrive even if the device leaves before its remote answers") {
  World world({.remote = RemoteKind::captured});
  const int level = GENERATE(mqtt::v311, mqtt::v5);
  const auto rest = mqtt::publish({.topic = "any/t", .payload = "last words"}, level) + mqtt::disconnect(level);
  auto device = knock(world, rest, level);
  device.tls().close_notify_and_fin();
  auto remote = world.captured->accept_silently();
  // Once a later device has been served, the relay has noticed that this one closed.
  auto keyless = world.device(device_identity("p256", 2));
  keyless.join("keyless");
  remote.handshake();
  CHECK(remote.read_packet().type() == mqtt::Type::connect);
  CHECK(remote.read_exactly(rest.size()) == rest);
}

TEST_CASE("data that a device sends before its remote answers is buffered within a bound and arrives in order") {
  World world({.remote = RemoteKind::captured});
  auto device = knock(world);
  auto remote = world.captured->accept_silently();
  const auto all = mqtt::publish({.topic = "any/t", .payload = std::string(60 << 20, 'x')});
  const size_t sent = device.tls().send_until_blocked(all, 500ms);
  CHECK(sent < all.size());  // the kernel's buffers and a little more
  remote.handshake();
  remote.read_packet();
  CHECK(remote.read_exactly(sent / 2) == all.substr(0, sent / 2));
}

TEST_CASE("a device's newer connection ends older ones that are not yet up, and only the newest CONNECT arrives") {
  const int level = GENERATE(mqtt::v311, mqtt::v5);
  World world({.relayd = {{"remote", {{"connect_timeout", "60s"}}}}, .remote = RemoteKind::captured});
  auto older = knock(world, {}, level);
  auto silent = world.captured->accept_silently();
  auto newer = knock(world, {}, level);
  CHECK(mqtt::connack_code(older.tls().read_packet()) == (level == mqtt::v5 ? 0x88 : 3));
  CHECK(older.tls().read_to_end().leftover.empty());
  CHECK_THROWS_AS(silent.handshake(), Failure);
  auto remote = world.captured->accept();
  CHECK(remote.read_packet().type() == mqtt::Type::connect);
  remote.send(level == mqtt::v5 ? connack_accepted_v5 : connack_accepted);
  CHECK(mqtt::connack_code(newer.tls().read_packet()) == 0);
}

TEST_CASE("a device's newer connection also ends older ones on other workers") {
  World world({.relayd = {{"workers", 2}}, .remote = RemoteKind::captured});
  std::vector<Device> devices;
  std::vector<TlsStream> remotes;
  for (int i = 0; i < 16; i++) {  // spread over both workers
    devices.push_back(knock(world));
    remotes.push_back(world.captured->accept_silently());
  }
  for (size_t i = 0; i + 1 < remotes.size(); i++) {
    try {
      remotes[i].handshake();
    } catch (const Failure&) {
      continue;  // has given up already
    }
    CHECK(remotes[i].read_to_end().leftover.empty());
  }
  remotes.back().handshake();
  CHECK(remotes.back().read_packet().type() == mqtt::Type::connect);
  remotes.back().send(connack_accepted);
  CHECK(mqtt::connack_code(devices.back().tls().read_packet()) == 0);
  devices.pop_back();
  for (auto& device : devices) CHECK(mqtt::connack_code(device.tls().read_packet()) == 3);
  std::set<int> workers;
  for (const auto& line : world.relay().log().json(is_end)) workers.insert(line.at("worker").get<int>());
  CHECK(workers.size() == 2);
}

TEST_CASE("a client id alone, with another key or none, ends no other device's waiting connection") {
  World world({.remote = RemoteKind::captured});
  auto device = knock(world);
  auto remote = world.captured->accept_silently();
  auto stranger = world.device(device_identity("p256", 2));
  CHECK(mqtt::connack_code(stranger.connect({.client_id = "thermo"})) == 5);
  remote.handshake();
  CHECK(remote.read_packet().type() == mqtt::Type::connect);
  remote.send(connack_accepted);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
}
