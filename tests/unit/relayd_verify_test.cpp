// `mqtt-relay verify`: times as operators write them. Integration tests run the shipped program for the rest.
#include "relayd/admin/verify.h"
#include "tests/unit/catch.h"

using relayd::admin::parse_time;

TEST_CASE("verify: --at takes ISO 8601 and Unix seconds") {
  constexpr int64_t kTime = 1'800'000'000;
  for (const char* text : {"1800000000", "2027-01-15T08:00:00Z", "2027-01-15T08:00:00", "2027-01-15 08:00",
                           "2027-01-15T10:00:00+02:00", "2027-01-15T02:30-05:30"}) {
    INFO(text);
    CHECK(parse_time(text) == kTime);
  }
  CHECK(parse_time("2027-01-15") == kTime - 8 * 3600);
  CHECK(parse_time("0") == 0);
  CHECK(parse_time("-1") == -1);
  for (const char* text : {"", "now", "2027", "2027-01", "2027-13-01", "2027-01-15T", "2027-01-15T25:00", "2027-01-15X",
                           "2027-01-15T08:00:00+2", "2027-01-15T08:00:00ZZ", "18 00"}) {
    INFO(text);
    const bool year = std::string(text) == "2027";  // 33 minutes after the epoch
    CHECK(parse_time(text).has_value() == year);
  }
}
