#include "relayd/tls/fiber.h"

#include "tests/unit/catch.h"

using relayd::tls::Fiber;
using relayd::tls::FiberPool;

TEST_CASE("a fiber resumes where it suspended with its stack intact") {
  Fiber fiber;
  std::string trace;
  fiber.start([&] {
    int local = 1;
    trace += std::to_string(local++);
    Fiber::suspend();
    trace += std::to_string(local++);
    Fiber::suspend();
    trace += std::to_string(local);
  });
  CHECK(fiber.suspended());
  trace += "-";
  fiber.resume();
  trace += "-";
  fiber.resume();
  CHECK_FALSE(fiber.suspended());
  CHECK(trace == "1-2-3");
}

TEST_CASE("fibers interleave and their stacks are reused") {
  FiberPool pool;
  std::string trace;
  for (int round = 0; round < 3; round++) {
    auto a = pool.take(), b = pool.take();
    a->start([&] { trace += 'a', Fiber::suspend(), trace += 'A'; });
    b->start([&] { trace += 'b', Fiber::suspend(), trace += 'B'; });
    a->resume();
    b->resume();
    pool.give(std::move(a));
    pool.give(std::move(b));
  }
  CHECK(trace == "abABabABabAB");
}
