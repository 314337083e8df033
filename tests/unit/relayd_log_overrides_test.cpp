// The log levels that the operator has set by command.
#include "relayd/supervisor/log_overrides.h"

#include "relayd/admin/log_level.h"
#include "tests/unit/catch.h"

using namespace relayd;
using Level = common::log::Level;

namespace {

constexpr LogOverrides::Level kConfigured = Level::info;

std::string words(LogOverrides& overrides, const LogChange& change) {
  return in_words(overrides.change(change, kConfigured, 0), change);
}

}  // namespace

TEST_CASE("log levels by command: relayd's own and a client id's, until they are taken back", "[log_levels]") {
  LogOverrides overrides;
  CHECK(overrides.levels(Level::warning).level == Level::warning);
  overrides.change({.level = Level::error}, kConfigured, 0);
  overrides.change({.client_id = "a", .level = Level::debug}, kConfigured, 0);
  overrides.change({.client_id = "b", .level = Level::warning}, kConfigured, 0);
  const LogLevels levels = overrides.levels(kConfigured);
  CHECK(levels.level == Level::error);
  CHECK(levels.of("a") == Level::debug);
  CHECK(levels.of("b") == Level::warning);
  CHECK(levels.of("c") == Level::error);
  CHECK(overrides.levels(Level::debug).level == Level::error);  // a reload with another log_level changes nothing

  const auto back = overrides.change({.client_id = "a"}, kConfigured, 0);
  REQUIRE(back);
  CHECK(back->before == Level::debug);
  CHECK(back->after == Level::error);
  CHECK(overrides.levels(kConfigured).of("a") == Level::error);
  overrides.change({}, kConfigured, 0);
  CHECK(overrides.levels(kConfigured).level == kConfigured);
  CHECK(overrides.levels(kConfigured).of("b") == Level::warning);  // a client id's own stays
}

TEST_CASE("log levels by command: what was not set can't be taken back, and is said", "[log_levels]") {
  LogOverrides overrides;
  CHECK(words(overrides, {}) == "relayd's log level was not set by command");
  CHECK(words(overrides, {.client_id = "a"}) == "this client id has no log level of its own");
  overrides.change({.level = Level::debug}, kConfigured, 0);
  CHECK(words(overrides, {}) == "relayd's log level is info, it was debug, as configured");
}

TEST_CASE("log levels by command: the 17th client id is refused, the 16 others can still change", "[log_levels]") {
  LogOverrides overrides;
  for (int i = 0; i < 16; i++)
    overrides.change({.client_id = std::to_string(i), .level = Level::debug}, kConfigured, 0);
  overrides.change({.level = Level::warning}, kConfigured, 0);  // relayd's own is none of them
  CHECK_THROWS_WITH(overrides.change({.client_id = "16", .level = Level::debug}, kConfigured, 0),
                    "16 client ids have a level of their own, the most that can; `mqtt-relay log-level` shows them, "
                    "`mqtt-relay log-level default --client ID` takes one back");
  CHECK(overrides.levels(kConfigured).of("16") == Level::warning);
  CHECK(overrides.change({.client_id = "15", .level = Level::error}, kConfigured, 0)->before == Level::debug);
  overrides.change({.client_id = "3"}, kConfigured, 0);
  overrides.change({.client_id = "16", .level = Level::debug}, kConfigured, 0);
  CHECK(overrides.levels(kConfigured).of("16") == Level::debug);
}

TEST_CASE("log levels by command: a level ends when its time is over, not before", "[log_levels]") {
  LogOverrides overrides;
  overrides.change({.level = Level::debug, .seconds = 2}, kConfigured, 500);
  overrides.change({.client_id = "a", .level = Level::error, .seconds = 3}, kConfigured, 500);
  overrides.change({.client_id = "b", .level = Level::error}, kConfigured, 500);
  CHECK(overrides.expire(kConfigured, 2'499).empty());
  const auto first = overrides.expire(kConfigured, 2'500);
  REQUIRE(first.size() == 1);
  CHECK(first[0].client_id.empty());
  CHECK(first[0].before == Level::debug);
  CHECK(first[0].after == kConfigured);
  overrides.change({.client_id = "a", .level = Level::error, .seconds = 3}, kConfigured, 2'600);  // begins again
  CHECK(overrides.expire(kConfigured, 3'500).empty());
  CHECK(overrides.expire(kConfigured, 5'600).size() == 1);
  CHECK(overrides.levels(kConfigured).of("b") == Level::error);  // without end
  CHECK(overrides.expire(kConfigured, UINT64_MAX).empty());
}

TEST_CASE("log levels on a terminal: whose, which, by whom and how long, and nothing that harms it", "[log_levels]") {
  CHECK(admin::shown_levels(
            {{"level", "info"}, {"configured", "info"}, {"by_command", false}, {"clients", admin::Json::array()}}) ==
        "relayd  info\n");
  const admin::Json log = {{"level", "debug"},
                           {"configured", "info"},
                           {"by_command", true},
                           {"seconds_left", 540},
                           {"clients", {{{"client_id", "dev\x1b[2J-1"}, {"level", "error"}}}}};
  CHECK(admin::shown_levels(log) ==
        "relayd        debug, by command, 9m left; configured: info\n"
        "dev\\x1b[2J-1  error, by command\n");
}
