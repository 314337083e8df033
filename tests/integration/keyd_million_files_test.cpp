// A million other keys cost nothing at the start, at a lookup or in memory. By default the test uses 20,000, enough to
// show a cost that grows; MQTT_RELAY_TEST_KEYS=1000000 runs it with a million.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/keyd.h"
#include "tests/integration/harness/need.h"

using namespace harness;
using std::chrono::duration_cast;
using std::chrono::microseconds;

namespace {

constexpr size_t kRealKeys = 64;  // the others are hard links to them; ext4 permits 65,000 links to a file
constexpr size_t kFew = 600;
constexpr uint32_t kCache = 256;

size_t many() {
  const char* set = std::getenv("MQTT_RELAY_TEST_KEYS");
  return set ? std::stoul(set) : 20'000;
}

// keyd with keys for devices 0, 1, …; many devices share each real key.
class Fleet {
 public:
  Fleet(const std::vector<TestKey>& real, size_t size) : real_(real), size_(size), keyd_(Json{{"key_cache", kCache}}) {
    const int folder = open(keyd_.keys().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < size; i++)
      if (i < real_.size()) keyd_.give_key(id(i), real_[i]);
      else if (linkat(folder, (id(i % real_.size()) + ".pem").c_str(), folder, (id(i) + ".pem").c_str(), 0) != 0)
        fail_errno("link");
    close(folder);
  }
  static std::string id(size_t device) { return "device-" + std::to_string(device); }

  microseconds start() { return keyd_.start(); }

  // Looks up `count` keys, spread over the fleet and not looked up before; returns the time of each answer.
  std::vector<microseconds> look_up_new(size_t count) {
    if (!client_) client_ = std::make_unique<KeydClient>(keyd_.socket());
    std::vector<microseconds> took;
    for (size_t i = 0; i < count; i++, asked_++) {
      const size_t device =
          asked_ * 7919 % size_;  // a prime that divides no size used here, so each device is asked for once
      const auto name = id(device);
      const auto began = Clock::now();
      const auto answer = client_->ask(lookup_request(1, real_[device % real_.size()], name));
      took.push_back(duration_cast<microseconds>(Clock::now() - began));
      REQUIRE(answer.status == ipc::Status::ok);
    }
    std::sort(took.begin(), took.end());
    return took;
  }
  uint64_t cached_keys() { return ipc::decode_counters(client_->ask({2, std::monostate{}}).payload)->cached_keys; }

  size_t memory_kib() {
    std::istringstream status(read_file("/proc/" + std::to_string(keyd_.process().pid()) + "/status"));
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
    throw Failure("no VmRSS");
  }

 private:
  const std::vector<TestKey>& real_;
  const size_t size_;
  Keyd keyd_;
  std::unique_ptr<KeydClient> client_;
  size_t asked_ = 0;
};

}  // namespace

TEST_CASE("a million other keys do not slow keyd's start or lookups, nor enlarge its memory") {
  std::vector<TestKey> real;
  for (size_t i = 0; i < kRealKeys; i++) real.push_back(TestKey::generate("P-256"));
  Fleet few(real, kFew), fleet(real, many());

  const auto start_few = few.start(), start = fleet.start();
  // Both parse each key, so the difference is the cost of the other keys.
  const auto lookups_few = few.look_up_new(512), lookups = fleet.look_up_new(512);
  const auto median = lookups[lookups.size() / 2], median_few = lookups_few[lookups_few.size() / 2];
  const size_t memory_before = fleet.memory_kib();
  const auto more = fleet.look_up_new(5'000 - 512);
  const size_t memory = fleet.memory_kib();
  std::cout << many() << " keys: ready after " << start.count() << " us (beside " << kFew << " keys "
            << start_few.count() << "), a key's first lookup " << median.count() << " us, at the 99th percentile "
            << more[more.size() * 99 / 100].count() << " (beside " << kFew << " keys " << median_few.count()
            << "); memory " << memory_before << " KiB after 512 keys, " << memory << " after 5000\n";

  CHECK(fleet.cached_keys() == kCache);
  CHECK(start < std::chrono::seconds(HARNESS_PATIENCE_FACTOR));
  CHECK(median < median_few + std::chrono::milliseconds(HARNESS_PATIENCE_FACTOR));
  NEEDS_NO_SANITIZER();
  CHECK(memory <= memory_before + 128);  // a cached key takes about 10 KiB; 5,000 would take 50 MiB
}
