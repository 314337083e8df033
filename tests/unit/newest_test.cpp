#include "relayd/handover/newest.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/catch.h"

using namespace relayd;

namespace {

constexpr std::array<uint8_t, 32> kKey{1}, kOtherKey{2};
constexpr uint64_t kNow = 1'000'000;

struct Table {
  common::Fd fd = NewestTable::create();
  NewestTable table{fd.get()};
};

// Device `number` of one group.
NewestTable::Device crowded(uint64_t number) { return 7 + number * NewestTable::kGroups; }

}  // namespace

TEST_CASE("newest: a later claim supersedes earlier ones, whichever is made first") {
  Table t;
  const auto device = t.table.device("thermo", kKey);
  CHECK(t.table.is_newest(device, 100, kNow));
  t.table.claim(device, 100, kNow);
  CHECK(t.table.is_newest(device, 100, kNow));
  t.table.claim(device, 200, kNow);
  CHECK_FALSE(t.table.is_newest(device, 100, kNow));
  CHECK(t.table.is_newest(device, 200, kNow));
  t.table.claim(device, 150, kNow);
  CHECK_FALSE(t.table.is_newest(device, 150, kNow));
  CHECK(t.table.is_newest(device, 200, kNow));
}

TEST_CASE("newest: no client without the device's key, and no other client id, supersedes a connection") {
  Table t;
  const auto device = t.table.device("thermo", kKey);
  t.table.claim(device, 100, kNow);
  t.table.claim(t.table.device("thermo", kOtherKey), 200, kNow);
  t.table.claim(t.table.device("thermo2", kKey), 200, kNow);
  CHECK(t.table.is_newest(device, 100, kNow));
}

TEST_CASE("newest: every worker sees what another one claimed, also after its death") {
  Table t;
  const auto device = t.table.device("thermo", kKey);
  const pid_t child = fork();
  if (child == 0) {
    NewestTable theirs(t.fd.get());
    theirs.claim(theirs.device("thermo", kKey), 200, kNow);
    _exit(0);
  }
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK_FALSE(t.table.is_newest(device, 100, kNow));
  t.table.claim(device, 300, kNow);  // the device comes back
  CHECK(t.table.is_newest(device, 300, kNow));
}

TEST_CASE("newest: in a full table the oldest claims are forgotten, and the newest connection is never refused") {
  Table t;
  for (uint64_t i = 1; i <= 100; i++) {
    t.table.claim(crowded(i), i, kNow);
    CHECK(t.table.is_newest(crowded(i), i, kNow));
  }
  CHECK_FALSE(t.table.is_newest(crowded(100), 99, kNow));
  CHECK_FALSE(t.table.is_newest(crowded(93), 92, kNow));  // the last kWays of them
  CHECK(t.table.is_newest(crowded(92), 1, kNow));
}

TEST_CASE("newest: a claim from the future supersedes no connection, and is the first to be forgotten") {
  Table t;
  for (uint64_t i = 1; i <= NewestTable::kWays; i++) t.table.claim(crowded(i), UINT64_MAX - i, UINT64_MAX);
  CHECK(t.table.is_newest(crowded(1), 100, kNow));
  t.table.claim(crowded(1), 100, kNow);
  t.table.claim(crowded(2), 100, kNow);
  CHECK_FALSE(t.table.is_newest(crowded(1), 99, kNow));
  CHECK_FALSE(t.table.is_newest(crowded(2), 99, kNow));
}

TEST_CASE("newest: workers that claim at the same time never make the newest connection an older one") {
  Table t;
  std::atomic<uint64_t> clock{1};
  std::atomic<int> refused{0};
  std::vector<std::jthread> workers;
  for (uint64_t worker = 0; worker < 4; worker++)
    workers.emplace_back([&, worker] {
      NewestTable table(t.fd.get());
      for (uint64_t i = 0; i < 20'000; i++) {
        const auto device = crowded(worker * 4 + i % 4);  // twice as many as fit
        const uint64_t time = ++clock;
        table.claim(device, time, time);
        if (!table.is_newest(device, time, clock)) refused++;
      }
    });
  workers.clear();
  CHECK(refused == 0);
}

TEST_CASE("newest: memory that is not a table is refused") {
  const common::Fd small(memfd_create("small", MFD_CLOEXEC));
  CHECK_THROWS_AS(NewestTable(small.get()), std::system_error);
}
