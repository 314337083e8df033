// A worker that floods keyd gets BUSY, and other workers do not wait for it. The test counts signatures instead of
// time, so that it also holds on a slow machine.

#include <sys/stat.h>

#include <atomic>
#include <deque>

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

namespace {

constexpr std::chrono::minutes kPatient(5);  // a slow machine is not a refusal

// Keeps `outstanding` requests waiting at keyd, each for another client id.
void flood_ids(const std::string& socket, const TestKey& key, uint32_t outstanding, Flood& counted) {
  KeydClient client(socket, kPatient);
  const auto name = [&](uint32_t id) { return "flood" + std::to_string(id); };
  for (uint32_t id = 0; id < outstanding; id++) client.send(sign_request(id, key, name(id)));
  while (!counted.stop) {
    const auto answer = client.receive();
    if (answer.status == Status::ok) counted.made++;
    else counted.other++;
    client.send(sign_request(answer.id, key, name(answer.id)));
  }
}

}  // namespace

TEST_CASE("400 outstanding RSA-4096 requests for as many ids from one worker cost another worker no request") {
  constexpr uint32_t kIds = 400, kOthers = 112;
  Keyd keyd(Json{{"signers", 1}, {"worker_rate", "infinity"}, {"key_rate", "infinity"}});
  const auto rsa = TestKey::generate("RSA:4096"), ecdsa = TestKey::generate("P-256");
  for (uint32_t id = 0; id < kIds; id++) keyd.give_key("flood" + std::to_string(id), rsa);
  for (uint32_t id = 0; id < kOthers; id++) keyd.give_key("other" + std::to_string(id), ecdsa);
  keyd.start();
  const Shared<Flood> counted;
  Forked flooder([&] { flood_ids(keyd.socket(), rsa, kIds, *counted); });
  KeydClient client(keyd.socket());
  for (const auto deadline = patience(); counted->made < 2;) {
    REQUIRE_FALSE(deadline.over());
    client.ask({0, std::monostate{}});
  }
  uint32_t refused = 0;
  for (uint32_t id = 0; id < kOthers; id++) {
    const std::string name = "other" + std::to_string(id);
    refused += client.ask(lookup_request(id, ecdsa, name)).status != Status::ok;
    refused += client.ask(sign_request(id, ecdsa, name)).status != Status::ok;
  }
  CHECK(refused == 0);
  counted->stop = true;
  CHECK(flooder.succeeded());
  CHECK(counted->other == 0);
}

TEST_CASE("a stampede of 2000 RSA devices on two workers is signed without a refusal") {
  constexpr uint32_t kDevices = 1000;  // of each worker
  Keyd keyd;
  const auto key = TestKey::generate("RSA:2048");
  const auto name = [](uint32_t worker, uint32_t id) { return std::to_string(worker) + "-" + std::to_string(id); };
  for (const uint32_t worker : {1u, 2u})
    for (uint32_t id = 0; id < kDevices; id++) keyd.give_key(name(worker, id), key);
  keyd.start();
  const Shared<Flood> counted;
  const auto stampede = [&](uint32_t worker) {
    KeydClient client(keyd.socket(), kPatient);
    std::deque<uint32_t> unsent;  // even: a device's LOOKUP; odd: its SIGN
    for (uint32_t id = 0; id < kDevices; id++) unsent.push_back(2 * id);
    const auto try_send = [&](uint32_t id) {
      const std::string device = name(worker, id / 2);
      return client.try_send(id % 2 == 0 ? lookup_request(id, key, device) : sign_request(id, key, device));
    };
    for (uint32_t answers = 0; answers < 2 * kDevices; answers++) {
      while (!unsent.empty() && try_send(unsent.front())) unsent.pop_front();
      const auto answer = client.receive();
      (answer.status == Status::ok ? counted->made : counted->other)++;
      if (answer.id % 2 == 0) unsent.push_back(answer.id + 1);
    }
  };
  Forked one([&] { stampede(1); }), two([&] { stampede(2); });
  CHECK(one.succeeded());
  CHECK(two.succeeded());
  CHECK(counted->made == 4 * kDevices);
  CHECK(counted->other == 0);
}

TEST_CASE("keys whose passphrase takes long to check delay no other worker") {
  constexpr uint32_t kIds = 40, kOthers = 300;
  const TempDir secret;
  write_file(secret / "passphrase", "correct horse");
  chmod((secret / "passphrase").c_str(), 0600);
  // The cache is smaller than the number of ids, so each request opens its key.
  Keyd keyd(
      Json{{"signers", 1}, {"key_cache", 4}, {"key_passphrase_file", secret / "passphrase"}, {"key_rate", "infinity"}});
  const auto plain = TestKey::generate("P-256"), sealed = plain.encrypted("correct horse", 500'000);
  for (uint32_t id = 0; id < kIds; id++) keyd.give_key("flood" + std::to_string(id), sealed);
  keyd.give_key("other", plain);
  keyd.start();
  const Shared<Flood> counted;
  Forked flooder([&] { flood_ids(keyd.socket(), sealed, kIds, *counted); });
  KeydClient client(keyd.socket());
  for (const auto deadline = patience(); counted->made < 1;) {
    REQUIRE_FALSE(deadline.over());
    client.ask({0, std::monostate{}});
  }
  const uint64_t before = counted->made;
  for (uint32_t id = 0; id < kOthers; id++) REQUIRE(client.ask(sign_request(id, plain, "other")).status == Status::ok);
  CHECK(counted->made - before < kOthers / 5);  // one a turn, if they were opened between other requests
  counted->stop = true;
  CHECK(flooder.succeeded());
  CHECK(counted->other == 0);
}
