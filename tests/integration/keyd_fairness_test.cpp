// A worker that floods keyd gets BUSY, and other workers do not wait for it. The test counts signatures instead of
// time, so that it also holds on a slow machine.

#include <atomic>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/keyd.h"

using namespace harness;
using ipc::Status;

namespace {

struct Flood {
  std::atomic<uint64_t> made, busy, busy_without_time, other;
  std::atomic<bool> stop;
};

constexpr uint32_t kQueue = 32, kOutstanding = 2 * kQueue;

// Sends twice as many requests as keyd accepts from one worker, and repeats each once it is answered.
void flood(const std::string& socket, const TestKey& key, Flood& counted) {
  KeydClient client(socket);
  for (uint32_t id = 0; id < kOutstanding; id++) client.send(sign_request(id, key, "rsa"));
  while (!counted.stop) {
    const auto answer = client.receive();
    if (answer.status == Status::ok) counted.made++;
    else if (answer.status == Status::busy) (answer.retry_after_ms > 0 ? counted.busy : counted.busy_without_time)++;
    else counted.other++;
    client.send(sign_request(answer.id, key, "rsa"));
  }
}

}  // namespace

TEST_CASE("a worker that floods keyd with RSA-4096 gets BUSY, and another worker's ECDSA is signed at once") {
  Keyd keyd(Json{{"signers", 1}, {"max_queue", kQueue}, {"worker_rate", "infinity"}, {"key_rate", "infinity"}});
  const auto rsa = TestKey::generate("RSA:4096"), ecdsa = TestKey::generate("P-256");
  keyd.give_key("rsa", rsa);
  keyd.give_key("ecdsa", ecdsa);
  keyd.start();
  const Shared<Flood> counted;
  Forked flooder([&] { flood(keyd.socket(), rsa, *counted); });
  KeydClient client(keyd.socket());
  const auto wait_until = [&](auto happened) {
    for (const auto deadline = patience(); !happened();) {
      REQUIRE_FALSE(deadline.over());
      client.ask({0, std::monostate{}});  // waiting for keyd's answer is the pause
    }
  };
  wait_until([&] { return counted->made >= 2 && counted->busy >= kOutstanding; });  // the flooder's queue is full

  // With one queue in order of arrival, an answer would come after all 32 requests of the flooder. One may be in
  // progress, and a slow machine may finish a few more before it schedules this process.
  constexpr uint64_t kMostBetween = kQueue / 4;
  uint64_t worst = 0;
  for (uint32_t id = 0; id < 200; id++) {
    const uint64_t before = counted->made;
    const auto answer = client.ask(sign_request(id, ecdsa, "ecdsa"));
    worst = std::max(worst, counted->made - before);
    REQUIRE(answer.id == id);
    REQUIRE(answer.status == Status::ok);
  }
  CHECK(worst <= kMostBetween);
  // The flood lasted throughout, and was also served.
  wait_until([&, made = counted->made.load()] { return counted->made > made; });
  counted->stop = true;
  CHECK(flooder.succeeded());
  CHECK(counted->busy_without_time == 0);
  CHECK(counted->other == 0);
}
