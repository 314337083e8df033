// The phases in which relayd stops.
#include "relayd/supervisor/stopping.h"

#include <vector>

#include "tests/unit/relayd_loop_support.h"

using relayd::Stopping;
using Phase = Stopping::Phase;

namespace {

struct Stop {
  relayd_test::Loop loop;
  std::vector<size_t> ended;  // each call's argument
  Stopping stopping{loop.get(), this, [](void* self, size_t accepting) {
                      auto* stop = static_cast<Stop*>(self);
                      CHECK(stop->stopping.phase() == Phase::ending);
                      stop->ended.push_back(accepting);
                    }};
};

}  // namespace

TEST_CASE("stopping: sessions end when the last worker has closed its listeners, and not before") {
  Stop stop;
  CHECK(stop.stopping.phase() == Phase::serving);
  stop.stopping.begin(3);
  CHECK(stop.stopping.phase() == Phase::closing);
  stop.stopping.still_accept(1);
  CHECK(stop.ended.empty());
  stop.stopping.still_accept(0);
  CHECK(stop.ended == std::vector<size_t>{0});
}

TEST_CASE("stopping: without a worker sessions end at once") {
  Stop stop;
  stop.stopping.begin(0);
  CHECK(stop.ended == std::vector<size_t>{0});
}

TEST_CASE("stopping: a worker that does not confirm holds up the others for one second") {
  Stop stop;
  stop.stopping.begin(2);
  const auto begun = uv_now(stop.loop.get());
  stop.stopping.still_accept(1);
  while (stop.ended.empty()) uv_run(stop.loop.get(), UV_RUN_ONCE);
  CHECK(uv_now(stop.loop.get()) - begun >= 1000);
  CHECK(stop.ended == std::vector<size_t>{1});
}

TEST_CASE("stopping: what comes before or after, or twice, changes nothing") {
  Stop stop;
  stop.stopping.still_accept(0);
  CHECK(stop.stopping.phase() == Phase::serving);
  stop.stopping.begin(1);
  stop.stopping.begin(5);
  stop.stopping.still_accept(0);
  stop.stopping.still_accept(0);
  stop.stopping.begin(1);
  CHECK(stop.stopping.phase() == Phase::ending);
  CHECK(stop.ended.size() == 1);
}
