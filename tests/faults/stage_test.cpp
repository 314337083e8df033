// The positive control of all scenarios: the witness detects what it must.

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;

TEST_CASE("the witness reports a lost, a duplicated and an unknown message, and accepts what QoS 1 permits") {
  harness::World world({.remote_more = "max_inflight_messages 0", .start = false});
  Witness witness(world.remote->endpoint());
  auto device = world.direct(harness::device_identity("p256", 1));
  device.join("thermo");
  // 1 and 3 with QoS 1, 2 and 4 with QoS 2; 5 never.
  for (const int number : {1, 1, 2, 3, 4, 4})
    device.publish("any/fleet/thermo", std::to_string(number), number % 2 ? 1 : 2);

  const auto all_came = witness.judge({{"thermo", {false, true, true, true, true}}}, harness::patience());
  CHECK(all_came.acknowledged == 4);
  CHECK(all_came.lost == 0);
  CHECK(all_came.doubled == 1);
  CHECK(all_came.repeated == 1);
  CHECK(all_came.unknown == 0);
  CHECK(all_came.offenders.find("thermo 4") != std::string::npos);

  const auto one_lost = witness.judge({{"thermo", {false, true, true, true, true, true}}}, harness::patience());
  CHECK(one_lost.lost == 1);
  CHECK(one_lost.offenders.find("thermo 5 never came") != std::string::npos);
  // Not acknowledged, so nothing was promised.
  CHECK(witness.judge({{"thermo", {false, true, true, true, true, false}}}, harness::patience()).lost == 0);

  device.publish("any/fleet/stranger", "1", 1);
  CHECK(witness.judge({{"thermo", {false, true, true, true, true}}}, harness::patience()).unknown == 1);
}
