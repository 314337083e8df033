// The remote broker stops, stays silent or resets accepted sessions while a fleet publishes through it.

#include <signal.h>

#include <thread>

#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;
namespace mqtt = harness::mqtt;

namespace {

// Checks that every CONNACK either accepts or says server unavailable, in both versions.
void check_refusals(const Figures& figures) {
  INFO(figures.text());
  auto codes = figures.seen.connacks;
  CHECK(codes[3] + codes[0x88] > 0);
  for (const int expected : {0, 3, 0x88}) codes.erase(expected);
  CHECK(codes.empty());
}

size_t refusals(const Figures& figures) {
  size_t sum = 0;
  for (const auto& [code, count] : figures.seen.connacks) sum += code == 0 ? 0 : count;
  return sum;
}

void stop_remote(Stage& stage, int signal) {
  auto& remote = stage.world().remote->process();
  remote.signal(signal);
  remote.wait(stage.patience());
}

// Accepts every CONNECT with session present, then resets the connection.
class FickleRemote {
 public:
  explicit FickleRemote(Stage& stage)
      : remote_(stage.world().remote->endpoint(),
                harness::server_identity("fickle", "p256", stage.world().directory.path()),
                harness::authorities().root),
        thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested())
            if (remote_.anybody_there(milliseconds(50))) serve();
        }) {}

 private:
  void serve() {
    try {
      auto session = remote_.accept();
      const auto level = session.read_packet().body.at(6);  // after "MQTT" and its length
      session.send(level == mqtt::v5 ? std::string("\x20\x03\x01\x00\x00", 5) : std::string("\x20\x02\x01\x00", 4));
      session.vanish();
    } catch (const harness::Failure&) {
      // A device that had waited too long has left.
    }
  }
  harness::CapturingRemote remote_;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("when the remote restarts under load, devices get server unavailable and return, and nothing is lost") {
  Stage stage;
  stop_remote(stage, SIGTERM);
  stage.fleet().wait_for([](const Figures& f) { return refusals(f) >= f.devices; }, "all devices were refused",
                         stage.patience());
  stage.world().remote->restart();
  const auto figures = stage.finish();
  check_refusals(figures);
  CHECK(figures.disturbed == figures.devices);
}

TEST_CASE("after the remote is killed under load, every device comes back to it") {
  Stage stage;
  // mosquitto saves its state when it stops, not for each message. When killed, it loses its sessions and messages that
  // it had acknowledged. The relay cannot keep what the broker forgets, so the test ends without the account.
  stop_remote(stage, SIGKILL);
  stage.fleet().wait_for([](const Figures& f) { return refusals(f) >= f.devices; }, "all devices were refused",
                         stage.patience());
  stage.world().remote->restart();
  const auto figures = stage.finish_without_account();
  check_refusals(figures);
  CHECK(figures.disturbed == figures.devices);
}

TEST_CASE("while the remote accepts but is silent, devices are refused in time, in bounded memory, and return later") {
  Stage stage({.relayd = {{"remote", {{"connect_timeout", "1s"}}}}});
  const auto workers = stage.relay().workers();
  const auto descriptors = descriptors_of(workers);
  stop_remote(stage, SIGTERM);
  size_t most_descriptors = 0;
  {
    harness::TakenPort silent(stage.world().remote->endpoint());
    stage.fleet().wait_for(
        [&](const Figures& f) {
          most_descriptors = std::max(most_descriptors, descriptors_of(workers));
          return refusals(f) >= 3 * f.devices;
        },
        "each device was refused three times or so", stage.patience());
  }
  // A refused device that has not yet closed its side may linger beside its next attempt.
  CHECK(most_descriptors <= 2 * descriptors + 100);
  CHECK(stage.worker_peak_memory() < (harness::under_sanitizer ? 2000u : 100u) << 20);
  stage.world().remote->restart();
  const auto figures = stage.finish();
  check_refusals(figures);
  stage.fleet().wait_for([&](const Figures&) { return descriptors_of(workers) <= descriptors; },
                         "the workers held no more descriptors than before", stage.patience());
}

TEST_CASE("a remote that resets each session after CONNACK leaves nothing behind, once it stops, devices are served") {
  Stage stage;
  const auto workers = stage.relay().workers();
  const auto descriptors = descriptors_of(workers);
  stop_remote(stage, SIGTERM);
  {
    FickleRemote fickle(stage);
    const auto before = stage.fleet().figures().seen.losses;
    stage.fleet().wait_for([&](const Figures& f) { return f.seen.losses >= before + 2 * f.devices; },
                           "sessions were reset twice as often as there are devices", stage.patience());
  }
  stage.world().remote->restart();
  stage.finish();
  stage.fleet().wait_for([&](const Figures&) { return descriptors_of(workers) <= descriptors; },
                         "the workers held no more descriptors than before", stage.patience());
}
