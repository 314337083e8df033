// Token buckets: how much is allowed, when it is allowed again, and that a quiet name costs no memory.
#include "keyd/vault/rate_limit.h"

#include "catch.h"

using keyd::RateLimit;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t kStart = 1'000'000'000'000, kMs = 1'000'000, kSecond = 1000 * kMs;

}  // namespace

TEST_CASE("one period's worth goes at once, and the rest as the rate allows", "[keyd][rate]") {
  RateLimit limit;
  const common::Rate rate{10, 1s};
  for (int i = 0; i < 10; i++) CHECK(limit.take("a", rate, kStart) == 0);
  const uint32_t wait_ms = limit.take("a", rate, kStart);
  CHECK(wait_ms > 0);
  CHECK(wait_ms <= 101);
  CHECK(limit.take("a", rate, kStart + 99 * kMs) != 0);
  CHECK(limit.take("a", rate, kStart + wait_ms * kMs) == 0);
  CHECK(limit.take("a", rate, kStart + wait_ms * kMs) != 0);
}

TEST_CASE("a caller that waits as long as the answer says is allowed", "[keyd][rate]") {
  RateLimit limit;
  const common::Rate rate{7, 1min};
  uint64_t now = kStart;
  for (int i = 0; i < 100; i++) {
    const uint32_t wait_ms = limit.take("a", rate, now);
    if (wait_ms == 0) continue;
    now += wait_ms * kMs;
    CHECK(limit.take("a", rate, now) == 0);
  }
}

TEST_CASE("one name does not use up another's rate", "[keyd][rate]") {
  RateLimit limit;
  const common::Rate rate{2, 1s};
  CHECK(limit.take("a", rate, kStart) == 0);
  CHECK(limit.take("a", rate, kStart) == 0);
  CHECK(limit.take("a", rate, kStart) != 0);
  CHECK(limit.take("b", rate, kStart) == 0);
}

TEST_CASE("an infinite rate limits no name and remembers none", "[keyd][rate]") {
  RateLimit limit;
  const common::Rate rate{};
  for (int i = 0; i < 100'000; i++) REQUIRE(limit.take("a", rate, kStart) == 0);
  CHECK(limit.buckets() == 0);
}

TEST_CASE("a bucket that is full again is forgotten", "[keyd][rate]") {
  RateLimit limit;
  const common::Rate rate{5, 1s};
  for (int i = 0; i < 1000; i++) limit.take(std::to_string(i), rate, kStart);
  CHECK(limit.buckets() == 1000);
  limit.take("late", rate, kStart + 3 * kSecond);
  CHECK(limit.buckets() == 1);
}

TEST_CASE("a changed rate counts from the next action on", "[keyd][rate]") {
  RateLimit limit;
  for (int i = 0; i < 10; i++) CHECK(limit.take("a", {10, 1s}, kStart) == 0);
  CHECK(limit.take("a", {10, 1s}, kStart) != 0);
  CHECK(limit.take("a", {20, 1s}, kStart + 50 * kMs) == 0);  // twice as fast
  CHECK(limit.take("a", {}, kStart + 50 * kMs) == 0);
  CHECK(limit.take("a", {1, 1min}, kStart + 1050 * kMs) == 0);
  CHECK(limit.take("a", {1, 1min}, kStart + 1050 * kMs) != 0);
}

TEST_CASE("a raised rate is not held back by what a lower one has used up", "[keyd][rate]") {
  RateLimit limit;
  CHECK(limit.take("a", {1, 1h}, kStart) == 0);
  CHECK(limit.take("a", {1, 1h}, kStart) != 0);
  const uint32_t wait_ms = limit.take("a", {10, 1s}, kStart);
  CHECK(wait_ms <= 101);
  CHECK(limit.take("a", {10, 1s}, kStart + wait_ms * kMs) == 0);
}
