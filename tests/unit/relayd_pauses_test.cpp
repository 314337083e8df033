// Which listeners are paused, over reloads.
#include "relayd/supervisor/pauses.h"

#include "relayd/overview/readiness.h"
#include "tests/unit/catch.h"

using namespace relayd;
using Names = std::vector<std::string>;

namespace {

std::vector<Config::Listener> listeners(const Names& names) {
  std::vector<Config::Listener> all(names.size());
  for (size_t i = 0; i < names.size(); i++) all[i].name = names[i];
  return all;
}

std::string readiness(const std::string& listeners, const std::string& paused) {
  return overview::why_not_ready(
      nlohmann::json::parse("{\"workers\":[{\"state\":\"serving\"}],\"keyd\":\"serving\",\"listeners\":" + listeners +
                            ",\"paused\":" + paused + "}"));
}

}  // namespace

TEST_CASE("pauses: one listener or all, and what changed", "[pauses]") {
  Pauses pauses;
  const auto both = listeners({"a", "b"});
  CHECK(pauses.change(both, "a", true) == Names{"a"});
  CHECK(pauses.change(both, "", true) == Names{"b"});
  CHECK(pauses.change(both, "", true).empty());
  CHECK(pauses.change(both, "b", false) == Names{"b"});
  CHECK(pauses.among(both) == Names{"a"});
  CHECK_THROWS_WITH(pauses.change(both, "c", true), "found the listener \"c\"; relayd has: a, b");
}

TEST_CASE("pauses: a listener that a reload adds is paused only if all others are", "[pauses]") {
  Pauses pauses;
  const auto before = listeners({"a", "b"}), now = listeners({"b", "c"});
  pauses.change(before, "a", true);
  pauses.follow(before, now);
  CHECK(pauses.among(now).empty());
  pauses.change(before, "b", true);
  pauses.follow(before, now);
  CHECK(pauses.among(now) == Names{"b", "c"});
}

TEST_CASE("readyz: a relay is not ready once every listener is paused", "[pauses]") {
  CHECK(readiness(R"([{"name":"a"},{"name":"b"}])", R"(["a"])").empty());
  CHECK(readiness(R"([{"name":"a"},{"name":"b"}])", R"(["a","b"])") == "paused");
  CHECK(readiness("[]", "[]").empty());
}
