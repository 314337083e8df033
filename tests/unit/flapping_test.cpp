#include "relayd/handover/flapping.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "tests/unit/catch.h"

using namespace relayd;
using std::chrono::milliseconds;

namespace {

constexpr Config::Flapping kLimits{3, milliseconds(10'000), milliseconds(60'000)};
constexpr uint8_t kSpki[] = {1, 2, 3};

struct Table {
  common::Fd fd = FlappingTable::create();
  FlappingTable table;
  explicit Table(const Config::Flapping& limits = kLimits) : table(fd.get(), limits) {}

  FlappingTable::Device device(const std::string& id) const { return table.device(id, kSpki); }
  bool ended(const std::string& id, uint64_t now) { return table.ended(device(id), now); }
  bool banned(const std::string& id, uint64_t now) const { return table.banned(device(id), now); }
};

}  // namespace

TEST_CASE("siphash: the reference vectors") {
  // vectors_sip64 of the authors' reference implementation: key 00..0f, input 00..(size - 1).
  SipKey key;
  std::iota(key.begin(), key.end(), uint8_t{0});
  std::vector<uint8_t> input(64);
  std::iota(input.begin(), input.end(), uint8_t{0});
  const auto hash = [&](size_t size, size_t split) {
    return siphash(key, std::span(input).first(split), std::span(input).subspan(split, size - split));
  };
  CHECK(hash(0, 0) == 0x726fdb47dd0e0e31);
  CHECK(hash(1, 0) == 0x74f839c593dc67fd);
  CHECK(hash(7, 3) == 0xab0200f58b01d137);
  CHECK(hash(8, 8) == 0x93f5f5799a932462);
  CHECK(hash(15, 9) == 0xa129ca6149be45e5);
}

TEST_CASE("flapping: max_count ends in the window ban the device for ban_time") {
  Table t;
  CHECK_FALSE(t.ended("a", 100));
  CHECK_FALSE(t.ended("a", 105));
  CHECK_FALSE(t.banned("a", 105));
  CHECK(t.ended("a", 109));
  CHECK(t.banned("a", 109));
  CHECK(t.banned("a", 168));
  CHECK_FALSE(t.banned("a", 169));
}

TEST_CASE("flapping: a window begins with its first end, and the next window counts from zero") {
  Table t;
  t.ended("a", 100);
  t.ended("a", 109);
  CHECK_FALSE(t.ended("a", 110));
  CHECK_FALSE(t.ended("a", 119));
  CHECK(t.ended("a", 119));
}

TEST_CASE("flapping: a ban is reported once, and further ends do not lengthen it") {
  Table t;
  for (int i = 0; i < 2; i++) t.ended("a", 100);
  CHECK(t.ended("a", 100));
  CHECK_FALSE(t.ended("a", 150));
  CHECK_FALSE(t.banned("a", 160));
  CHECK_FALSE(t.ended("a", 160));  // after it, the first of a new window
  CHECK_FALSE(t.banned("a", 160));
}

TEST_CASE("flapping: another client id, or the same one with another key, is another device") {
  Table t;
  for (int i = 0; i < 3; i++) t.ended("a", 100);
  CHECK(t.banned("a", 100));
  CHECK_FALSE(t.banned("b", 100));
  const uint8_t other[] = {1, 2, 4};
  CHECK_FALSE(t.table.banned(t.table.device("a", other), 100));
}

TEST_CASE("flapping: workers of one slot count together, and a ban outlives them") {
  Table t;
  for (int i = 0; i < 3; i++) {
    const pid_t child = fork();
    if (child == 0) {
      FlappingTable table(t.fd.get(), kLimits);
      table.ended(table.device("a", kSpki), 100);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
  }
  CHECK(t.banned("a", 100));
  CHECK_FALSE(Table().banned("a", 100));  // another table
}

TEST_CASE("flapping: ends that come at the same time are all counted") {
  constexpr int kThreads = 4, kEach = 5000;
  Table t({kThreads * kEach, milliseconds(1'000'000), milliseconds(60'000)});
  t.ended("a", 100);  // makes the entry
  std::atomic<int> bans = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++)
    threads.emplace_back([&, i] {
      for (int j = i == 0 ? 1 : 0; j < kEach; j++) bans += t.ended("a", 100) ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  CHECK(bans == 1);
}

TEST_CASE("flapping: a full table drops the oldest entries first and bans last") {
  Table t;
  for (int i = 0; i < 3; i++) t.ended("banned", 1000);
  t.ended("old", 1000);
  t.ended("old", 1000);
  for (size_t i = 0; i < 4 * FlappingTable::kWays * FlappingTable::kGroups; i++)
    t.ended("other-" + std::to_string(i), 1001);
  CHECK(t.banned("banned", 1001));
  CHECK_FALSE(t.ended("old", 1002));  // otherwise this would be its third
}

TEST_CASE("flapping: memory that is not a table is refused") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const common::Fd in(ends[0]), out(ends[1]);
  CHECK_THROWS_AS(FlappingTable(in.get(), kLimits), std::system_error);
}
