#include "relayd/worker/drain_pace.h"
#include "tests/unit/catch.h"

using common::Milliseconds;
using relayd::drained_per_tick, relayd::kDrainTick, relayd::kLeastPerTick;

TEST_CASE("drain: a herd leaves over three quarters of shutdown_timeout, and a few devices at once") {
  CHECK(drained_per_tick(0, Milliseconds(10'000)) == kLeastPerTick);
  CHECK(drained_per_tick(1500, Milliseconds(10'000)) == kLeastPerTick);
  CHECK(drained_per_tick(1501, Milliseconds(10'000)) == 11);
  CHECK(drained_per_tick(15'000, Milliseconds(10'000)) == 100);
  CHECK(drained_per_tick(15'000, Milliseconds(1)) == 15'000);
  for (const size_t sessions : {20'000, 65'536, 1'000'000})
    for (const Milliseconds timeout : {Milliseconds(100), Milliseconds(10'000), Milliseconds(600'000)}) {
      const size_t ticks = (sessions + drained_per_tick(sessions, timeout) - 1) / drained_per_tick(sessions, timeout);
      CHECK((static_cast<int64_t>(ticks) - 1) * kDrainTick <= timeout * 3 / 4);
    }
}
