#include "common/log_limit.h"

#include "tests/unit/catch.h"

using common::LogLimit;

TEST_CASE("log limit: the first line is written, and ten in one second") {
  LogLimit limit;
  for (uint32_t i = 0; i < LogLimit::kMostPerSecond; i++) CHECK(limit.admit(50 + i) == 0);
  CHECK_FALSE(limit.admit(60));
}

TEST_CASE("log limit: if no line follows, those suppressed are reported once their second is over") {
  LogLimit limit;
  for (uint32_t i = 0; i < LogLimit::kMostPerSecond + 7; i++) limit.admit(5000);
  CHECK(limit.take_left_out(5999) == 0);
  CHECK(limit.take_left_out(6000) == 7);
  CHECK(limit.take_left_out(7000) == 0);
  CHECK(limit.admit(7000) == 0);
}

TEST_CASE("log limit: the next line says once how many were suppressed") {
  LogLimit limit;
  for (uint32_t i = 0; i < LogLimit::kMostPerSecond + 7; i++) limit.admit(5000);
  CHECK_FALSE(limit.admit(5999));
  CHECK(limit.admit(6000) == 8);
  CHECK(limit.admit(6000) == 0);
}
