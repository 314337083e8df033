// Sessions leave nothing behind: after a warm-up, neither devices that connect and leave nor their messages make any
// process of the product larger.

#include <iostream>
#include <thread>

#include "tests/faults/footprint.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;
using faults::Footprint;

namespace {

// Allows for heap fragmentation since the warm-up; a leak of 40 bytes a session exceeds it.
constexpr size_t allowed_growth = 1 << 20;
constexpr int threads = 8;

// relayd's only child of that name, as in `ps`. At this log level relayd does not log the pids.
pid_t child(World& world, std::string_view name) {
  std::vector<pid_t> found;
  for (const pid_t pid : children_of(world.relay().relayd().pid()))
    if (read_file("/proc/" + std::to_string(pid) + "/comm") == std::string(name) + "\n") found.push_back(pid);
  if (found.size() != 1) throw Failure(std::to_string(found.size()) + " processes are called " + std::string(name));
  return found.front();
}
pid_t only_worker(World& world) { return child(world, "relayd-worker"); }

// The footprint of every process of the product.
struct Snapshot {
  Footprint worker, connector, supervisor, keyd;

  static Snapshot of(World& world) {
    return {Footprint::of(only_worker(world)), Footprint::of(child(world, "relayd-connect")),
            Footprint::of(world.relay().relayd().pid()), Footprint::of(world.relay().keyd().pid())};
  }
};

// Waits until the product has released what its sessions used, once all devices are gone.
Snapshot wait_quiet(World& world, size_t descriptors) {
  const Deadline deadline = patience();
  const auto worker = only_worker(world);
  while (open_descriptors(worker) != descriptors && !deadline.over())
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // no event says when the last one is gone
  return Snapshot::of(world);
}

void check_flat(const std::string& name, const Footprint& before, const Footprint& after) {
  CAPTURE(name, before.text(), after.text());
  CHECK(after.descriptors == before.descriptors);
  CHECK(after.threads == before.threads);
  if (!under_sanitizer) {  // at exit LeakSanitizer checks instead
    CHECK(after.memory < before.memory + allowed_growth);
    CHECK(after.fibers <= before.fibers + threads);
  }
}

void check_flat(const std::string& what, const Snapshot& before, const Snapshot& after) {
  check_flat("worker", before.worker, after.worker);
  check_flat("connector", before.connector, after.connector);
  check_flat("supervisor", before.supervisor, after.supervisor);
  check_flat("keyd", before.keyd, after.keyd);
  std::cout << "figures: " << what << ": worker " << before.worker.text() << " -> " << after.worker.text()
            << "; supervisor " << before.supervisor.text() << " -> " << after.supervisor.text() << "; keyd "
            << before.keyd.text() << " -> " << after.keyd.text() << std::endl;
}

// With 100,000 sessions a test cannot keep the programs' log lines about each.
WorldOptions quiet_world(const TempDir& directory) {
  write_file(directory / "audit", "");
  return {.keyd = {{"presence_window", "10s"}},  // for this long keyd remembers each handshake
          .relayd = {{"log_level", "error"}},
          .local = false,
          .remote_more = "log_type none\nlog_type error\nlog_type information",
          .audit_file = directory / "audit",
          .start = false};
}

// Runs `work` in parallel, with the numbers from 0.
void on_threads(const std::function<void(int)>& work) {
  std::vector<std::string> failures(threads);
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; t++)
      all.emplace_back([&, t] {
        try {
          work(t);
        } catch (const std::exception& e) {
          failures[static_cast<size_t>(t)] = e.what();
        }
      });
  }
  for (const auto& failure : failures) REQUIRE(failure == "");
}

struct Door {
  Identity identity = device_identity("p256", 1);
  TlsContext context = TlsContext::client(&identity, authorities().root, TlsVersion::v1_3);
  TlsContext nameless = TlsContext::client(nullptr, authorities().root, TlsVersion::v1_3);

  explicit Door(World& world) : endpoint(world.relay().endpoint()) {}
  Device device() const { return Device(TlsStream::connect(endpoint, context)); }
  Endpoint endpoint;
};

enum class Way { disconnects, vanishes, is_local, is_refused, has_no_certificate, leaves_early };

void come_and_go(const Door& door, Way way, const std::string& id) {
  if (way == Way::has_no_certificate) {
    TlsStream::open(door.endpoint, door.nameless).refused_handshake();
  } else if (way == Way::leaves_early) {
    auto device = door.device();
    device.tls().send(mqtt::connect({.client_id = id}));
    device.tls().vanish();
  } else if (way == Way::is_refused) {
    auto device = door.device();
    if (mqtt::connack_code(device.connect({.client_id = "wrong"})) == 0) throw Failure("a wrong key was accepted");
    device.tls().read_to_end();
  } else {
    auto device = door.device();
    device.join(way == Way::is_local ? "keyless-" + id : id);
    if (way == Way::vanishes) return device.tls().vanish();
    device.disconnect();
    device.tls().read_to_end();
  }
}

// Of every 100 devices 60 are relayed (40 disconnect, 20 vanish), 15 are local, and 25 do not get in.
Way way_of(int number) {
  const int i = number * 37 % 100;
  return i < 40   ? Way::disconnects
         : i < 60 ? Way::vanishes
         : i < 75 ? Way::is_local
         : i < 85 ? Way::is_refused
         : i < 92 ? Way::has_no_certificate
                  : Way::leaves_early;
}

void run_cycles(const Door& door, int count) {
  on_threads([&](int t) {
    for (int i = t; i < count; i += threads) come_and_go(door, way_of(i), "device-" + std::to_string(t));
  });
}

// ---- an hour of traffic

const int talkers_of_thread = under_sanitizer ? 5 : 25;

// The devices of one thread. Each sends one message for each second of the hour, QoS 1 in even seconds and QoS 0 in odd
// ones, and pings once a minute. The first one also subscribes to its own messages.
class Talkers {
 public:
  Talkers(const Door& door, int thread) : topic_("any/talk/" + std::to_string(thread)) {
    for (int i = 0; i < talkers_of_thread; i++)
      devices_.push_back(std::move(door.device().join("device-" + std::to_string(thread) + "-" + std::to_string(i))));
    devices_.front().subscribe(topic_ + "/0", 1);
  }

  void talk(int from, int to) {
    for (int second = from; second < to; second++) {
      const auto text = "reading " + std::to_string(second) + ": 21.5 degrees, 48 % of humidity";
      for (size_t i = 0; i < devices_.size(); i++) {
        devices_[i].publish(topic_ + "/" + std::to_string(i), text, second % 2 ? 0 : 1);
        if (second % 60 == 59) devices_[i].ping();
      }
      heard_ += devices_.front().waiting_messages();
      while (devices_.front().waiting_messages()) devices_.front().next_message();
    }
    for (auto& device : devices_) device.ping();  // after this, everything before has arrived
  }
  size_t heard() { return heard_ + devices_.front().waiting_messages(); }

 private:
  std::string topic_;
  std::vector<Device> devices_;
  size_t heard_ = 0;
};

void check_cycles_leave_nothing(int cycles) {
  const int warm_up = cycles / 6;
  const TempDir directory;
  World world(quiet_world(directory));
  for (int t = 0; t < threads; t++) world.give_key("device-" + std::to_string(t), device_identity("p256", 1));
  world.give_key("wrong", device_identity("p256", 2));
  world.relay().start();
  const Door door(world);
  run_cycles(door, threads);
  const auto descriptors = Footprint::of(only_worker(world)).descriptors;
  run_cycles(door, warm_up);
  const auto before = wait_quiet(world, descriptors);
  const auto began = Clock::now();
  run_cycles(door, cycles - warm_up);
  const auto took = std::chrono::duration<double>(Clock::now() - began).count();
  const auto after = wait_quiet(world, descriptors);
  std::cout << "figures: " << cycles << " devices came and went, " << static_cast<int>((cycles - warm_up) / took)
            << " a second\n";
  check_flat("after " + std::to_string(warm_up) + " and after all", before, after);
}

void check_traffic_leaves_nothing(int seconds_of_traffic) {
  const TempDir directory;
  World world(quiet_world(directory));
  for (int t = 0; t < threads; t++)
    for (int i = 0; i < talkers_of_thread; i++)
      world.give_key("device-" + std::to_string(t) + "-" + std::to_string(i), device_identity("p256", 1));
  world.relay().start();
  const Door door(world);
  std::vector<std::unique_ptr<Talkers>> talkers(threads);
  const auto talk = [&](int from, int to) {
    on_threads([&](int t) { talkers[static_cast<size_t>(t)]->talk(from, to); });
  };
  on_threads([&](int t) { talkers[static_cast<size_t>(t)] = std::make_unique<Talkers>(door, t); });
  const int first = seconds_of_traffic / 6;
  talk(0, first);
  const auto before = Snapshot::of(world);
  const auto began = Clock::now();
  talk(first, seconds_of_traffic);
  const auto took = std::chrono::duration<double>(Clock::now() - began).count();
  const auto after = Snapshot::of(world);
  for (auto& some : talkers) CHECK(some->heard() == static_cast<size_t>(seconds_of_traffic));
  const int devices = threads * talkers_of_thread;
  std::cout << "figures: " << devices << " devices, a message a second each, " << seconds_of_traffic
            << " s of it: " << devices * seconds_of_traffic << " messages, "
            << static_cast<int>((seconds_of_traffic - first) / took) << " times as fast as they come\n";
  check_flat("after a sixth and after all", before, after);
}

}  // namespace

TEST_CASE("after 30,000 devices came and went, memory, descriptors and fibers are as before") {
  check_cycles_leave_nothing(under_sanitizer ? 1'500 : 30'000);
}

TEST_CASE("after an hour's traffic of 200 devices, memory, descriptors and fibers are as before") {
  check_traffic_leaves_nothing(under_sanitizer ? 120 : 3600);
}

TEST_CASE("after 300,000 devices came and went, memory, descriptors and fibers are as before", "[.][long]") {
  check_cycles_leave_nothing(300'000);
}

TEST_CASE("after ten hours' traffic of 200 devices, memory, descriptors and fibers are as before", "[.][long]") {
  check_traffic_leaves_nothing(36'000);
}
