// Overload: too many connections, too little memory, too few descriptors, and devices that reconnect without end.
// Sessions continue, new connections are refused at once, and service resumes when there is room.

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

void leave(Device& device) {
  device.disconnect();
  device.tls().read_to_end();
}

// A connection counts until relayd has closed both of its ends, which is later than the device and the log notice.
Device join_when_there_is_room(World& world, const std::string& id) {
  for (const auto deadline = patience();;) {
    try {
      return world.join(id);
    } catch (const Failure&) {
      if (deadline.over()) throw;
    }
  }
}

// The connection is closed before any TLS byte, so that a refusal does not cost a handshake.
bool closed_before_tls(World& world) {
  const auto identity = device_identity("p256", 1);
  auto stream = TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
  const auto ending = stream.read_to_end();
  return ending.how == Ending::fin || ending.how == Ending::reset;
}

// Like closed_before_tls(), for when a descriptor may have become free: a connection that is served is put into `kept`.
bool closed_or_kept(World& world, std::vector<TlsStream>& kept) {
  const auto identity = device_identity("p256", 1);
  auto stream = TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
  try {
    const auto ending = stream.refused_handshake();
    return ending.how == Ending::fin || ending.how == Ending::reset;
  } catch (const Failure&) {
    kept.push_back(std::move(stream));
    return false;
  }
}

// relayd logs only a few lines for each flood; the first is immediate.
void check_cause(World& world, const std::string& cause) {
  const auto line = world.relay().log().wait_json(
      [](const Json& j) { return j.value("msg", "") == "a new connection was closed at once"; },
      "a refused connection");
  CHECK(line.at("cause") == cause);
}

// CPU time as `ps` counts it, in ticks of 1/100 s.
long processor_ticks(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; i++) fields >> skipped;
  long user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

std::function<bool()> with_descriptors(rlim_t most) {
  return [most] {
    const rlimit limit{most, most};
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
  };
}

int code_of(World& world, const std::string& id, int level) {
  return mqtt::connack_code(world.device(device_identity("p256", 1)).connect({.client_id = id, .level = level}));
}

}  // namespace

TEST_CASE("max_connections: a connection over the limit is closed before TLS, once another ends, one is served") {
  World world({.relayd = {{"listener", {{"max_connections", 3}}}}});
  std::vector<Device> devices;
  for (int i = 0; i < 3; i++) devices.push_back(world.join("device-" + std::to_string(i)));
  REQUIRE(closed_before_tls(world));
  check_cause(world, "max_connections");
  for (auto& device : devices) device.ping();
  leave(devices.back());
  join_when_there_is_room(world, "next").ping();
}

TEST_CASE("max_connections: all workers share the limit, and a reload does not double it") {
  World world({.relayd = {{"workers", 2}, {"listener", {{"max_connections", 4}}}}});
  std::vector<Device> devices;
  for (int i = 0; devices.size() < 4; i++) {
    try {
      devices.push_back(world.join("device-" + std::to_string(i)));
    } catch (const Failure&) {  // this worker's share is used up; the other worker has room
    }
    REQUIRE(i < 200);
  }
  REQUIRE(closed_before_tls(world));
  CHECK(world.relay().reload().at("msg") == "relayd reloaded");
  for (int i = 0; i < 20; i++) REQUIRE(closed_before_tls(world));
  for (auto& device : devices) device.ping();
}

TEST_CASE("worker_max_memory: over the limit new connections are refused, and sessions continue") {
  World world;
  auto device = world.join("early");
  // Less than any worker needs: the new generation accepts no connection, and the old one keeps its device.
  world.relay().patch_relayd({{"worker_max_memory", "1MB"}});
  CHECK(world.relay().reload().at("msg") == "relayd reloaded");
  REQUIRE(closed_before_tls(world));
  check_cause(world, "worker_max_memory");
  device.ping();
  world.relay().patch_relayd({{"worker_max_memory", "1GB"}});
  CHECK(world.relay().reload().at("msg") == "relayd reloaded");
  world.join("late").ping();
}

TEST_CASE("without a free descriptor the worker refuses new devices, does not spin, and serves again when it has one") {
  // Long enough for the connections that never send CONNECT.
  World world({.relayd = {{"listener", {{"handshake_timeout", "1h"}, {"idle_timeout", "1h"}}}},
               .relayd_before_exec = with_descriptors(40)});
  const auto worker = world.relay().workers().at(0);
  std::vector<Device> devices;
  while (true) {
    REQUIRE(devices.size() < 40);
    try {
      devices.push_back(world.join("device-" + std::to_string(devices.size())));
    } catch (const Failure&) {
      break;
    }
  }
  REQUIRE(devices.size() > 4);
  // What the last device had is free when the worker has closed it, and serves devices that send no CONNECT.
  std::vector<TlsStream> fillers;
  for (int closed = 0; closed < 20;) {
    closed = closed_or_kept(world, fillers) ? closed + 1 : 0;
    REQUIRE(fillers.size() < 40);
  }
  check_cause(world, "no file descriptor is left (LimitNOFILE)");
  for (auto& device : devices) device.ping();
  const auto before = processor_ticks(worker);
  CHECK_FALSE(devices.front().tls().readable(std::chrono::seconds(1)));
  CHECK(processor_ticks(worker) - before < 50);  // a spin would cost 100

  fillers.clear();
  for (int i = 0; i < 3; i++) {
    leave(devices.back());
    devices.pop_back();
  }
  join_when_there_is_room(world, "next").ping();
}

TEST_CASE(
    "flapping_detect: a device that reconnects too often to a worker is banned there with 0x8A or 5, others are not") {
  const Json detect = {{"enable", true}, {"max_count", 4}, {"window_time", "1h"}, {"ban_time", "1h"}};
  World world({.relayd = {{"workers", 1}, {"listener", {{"flapping_detect", detect}}}}});
  for (int i = 0; i < 4; i++) {
    auto device = world.join("flapper");
    leave(device);
  }
  world.relay().log().wait_text("banned");
  CHECK(code_of(world, "flapper", mqtt::v5) == 0x8A);
  CHECK(code_of(world, "flapper", mqtt::v311) == 5);
  world.join("steady").ping();
  // Neither a worker's death nor a reload lifts the ban.
  const auto mark = world.relay().log().mark();
  REQUIRE(kill(world.relay().workers().at(0), SIGKILL) == 0);
  world.relay().wait_worker_started(0, mark);
  CHECK(code_of(world, "flapper", mqtt::v5) == 0x8A);
  CHECK(world.relay().reload().at("msg") == "relayd reloaded");
  CHECK(code_of(world, "flapper", mqtt::v5) == 0x8A);
}
