#include "relayd/session/token_bucket.h"

#include "tests/unit/catch.h"

using relayd::TokenBucket;
using std::chrono::milliseconds;

TEST_CASE("token bucket: one period's worth may go at once, then each token needs a wait") {
  TokenBucket bucket({10, milliseconds(1000)});
  for (int i = 0; i < 10; i++) {
    CHECK(bucket.wait_for_one(5000) == 0);
    bucket.take(1, 5000);
  }
  CHECK(bucket.wait(5000) == 0);
  CHECK(bucket.wait_for_one(5000) == 100);
  CHECK(bucket.wait_for_one(5099) == 1);
  CHECK(bucket.wait_for_one(5100) == 0);
}

TEST_CASE("token bucket: a debt is paid at the rate, however it was made") {
  TokenBucket bucket({10, milliseconds(1000)});
  bucket.take(35, 0);
  CHECK(bucket.wait(0) == 2500);
  CHECK(bucket.wait(2499) == 1);
  CHECK(bucket.wait(2500) == 0);
  bucket.take(1, 2500);
  CHECK(bucket.wait(2500) == 100);
}

TEST_CASE("token bucket: it fills up to one period's worth and no more") {
  TokenBucket bucket({10, milliseconds(1000)});
  bucket.take(10, 0);
  bucket.take(11, 1'000'000);
  CHECK(bucket.wait(1'000'000) == 100);
}

TEST_CASE("token bucket: infinity never waits") {
  TokenBucket bucket(common::Rate{});
  bucket.take(TokenBucket::kMostAtOnce, 0);
  CHECK(bucket.unlimited());
  CHECK(bucket.wait(0) == 0);
  CHECK(bucket.wait_for_one(0) == 0);
}

TEST_CASE("token bucket: the longest period and the most at once do not overflow") {
  TokenBucket bucket({1, milliseconds(86'400'000)});
  bucket.take(TokenBucket::kMostAtOnce, 1'000'000'000);
  CHECK(bucket.wait(1'000'000'000) == 86'400'000ull * (TokenBucket::kMostAtOnce - 1));
}

TEST_CASE("token bucket: a burst may be a part of a period's worth, but one token at least") {
  TokenBucket tenth({100, milliseconds(1000)}, 10);
  for (int i = 0; i < 10; i++) {
    CHECK(tenth.wait_for_one(5000) == 0);
    tenth.take(1, 5000);
  }
  CHECK(tenth.wait_for_one(5000) == 10);
  CHECK(tenth.wait_for_one(5010) == 0);
  TokenBucket slow({5, milliseconds(1000)}, 10);
  CHECK(slow.wait_for_one(5000) == 0);
  slow.take(1, 5000);
  CHECK(slow.wait_for_one(5000) == 200);
  TokenBucket none(common::Rate{}, 10);
  none.take(1000, 5000);
  CHECK(none.wait_for_one(5000) == 0);
}
