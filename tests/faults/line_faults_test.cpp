// The line to the remote is long, lossy or cut.

#include "tests/faults/far_remote.h"
#include "tests/integration/harness/need.h"

using namespace faults;
using namespace harness;
using namespace std::chrono_literals;

namespace {

std::string packets(const LinkFigures& before, const LinkFigures& after) {
  return std::to_string(after.dropped - before.dropped) + " of " +
         std::to_string(after.dropped - before.dropped + after.passed - before.passed) + " packets dropped";
}

}  // namespace

TEST_CASE("over a slow uplink, everything before a device's DISCONNECT arrives, however late, and no will is sent",
          "[root]") {
  NEEDS_ROOT();
  const TempDir scratch;
  ShapedLink link;
  WorldOptions options;
  put_remote_far(options, link, scratch.path());
  World world(options);
  const auto identity = device_identity("p256", 1);
  world.give_key("logger", identity);
  std::optional<Device> observer;
  link.run_at_far_end([&] {
    observer.emplace(world.direct(device_identity("p256", 99)));
    observer->join("observer");
    observer->subscribe("any/#", 1);
  });
  auto device = world.device(identity);
  REQUIRE(mqtt::connack_code(device.connect(
              {.client_id = "logger", .will = mqtt::Will{.topic = "any/will", .payload = "gone"}})) == 0);
  link.limit(8000);
  const auto began = Clock::now();
  std::string all;
  for (uint16_t i = 1; i <= 50; i++)
    all += mqtt::publish(
        {.topic = "any/log", .payload = std::to_string(i) + std::string(4000, ' '), .qos = 1, .packet_id = i});
  device.tls().send(all + mqtt::disconnect());
  device.tls().close_notify_and_fin();
  for (int i = 1; i <= 50; i++) {
    const auto message = observer->next_message(Deadline(30s));
    CHECK(message.topic == "any/log");
    CHECK(std::stoi(message.payload) == i);
  }
  world.remote->wait_gone("logger");
  observer->ping();
  CHECK(observer->waiting_messages() == 0);
  print_figures("50 messages of 4 kB over 8 kB/s in " +
                seconds(std::chrono::duration_cast<milliseconds>(Clock::now() - began)));
}

TEST_CASE("over 200 ms of delay and 2 % loss to the remote, no session is disturbed and nothing is lost", "[root]") {
  NEEDS_ROOT();
  const TempDir scratch;
  ShapedLink link;
  Stage stage(with_far_remote(link, scratch));
  link.shape(100ms, 2);
  const auto before = link.figures();
  stage.fleet().wait_progress(stage.fleet().size() * 20, stage.patience());

  // A new connection has the same delay.
  stage.world().give_key("newcomer", device_identity("p256", 1));
  const auto began = Clock::now();
  auto newcomer = stage.world().device(device_identity("p256", 1));
  newcomer.join("newcomer");
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
  CHECK(took >= 600ms);  // TCP, TLS 1.3 and CONNECT need a round trip each
  newcomer.ping();

  const auto figures = stage.finish();
  CHECK(figures.disturbed == 0);
  CHECK(link.figures().dropped > before.dropped);
  print_figures(packets(before, link.figures()) + ", a new session was up in " + seconds(took));
}

TEST_CASE("an outage shorter than 1.5 keep alives ends no session, with keep alive 0, send_timeout ends it", "[root]") {
  NEEDS_ROOT();
  const TempDir scratch;
  ShapedLink link;
  WorldOptions options{.relayd = {{"listener", {{"send_timeout", "2s"}}}}};
  put_remote_far(options, link, scratch.path());
  World world(options);
  const auto join = [&](const std::string& id, uint16_t keep_alive) {
    const auto identity = device_identity("p256", 1);
    world.give_key(id, identity);
    auto device = world.device(identity);
    REQUIRE(mqtt::connack_code(device.connect({.client_id = id, .keep_alive = keep_alive})) == 0);
    return device;
  };
  auto lasting = join("lasting", 60), eternal = join("eternal", 0);
  link.cut();
  const auto began = Clock::now();
  const auto message = mqtt::publish({.topic = "any/t", .payload = "x", .qos = 1, .packet_id = 7});
  lasting.tls().send(message);
  eternal.tls().send(message);
  CHECK(eternal.tls().read_to_end().leftover.empty());  // so the outage has lasted longer than send_timeout
  const auto outage = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
  CHECK_FALSE(lasting.tls().readable());
  link.restore();
  CHECK(lasting.tls().read_packet().type() == mqtt::Type::puback);
  lasting.ping();
  print_figures("an outage of " + seconds(outage) + " was survived with send_timeout 2 s and keep alive 60 s");
}

TEST_CASE("when the remote becomes a black hole, every device notices soon and returns later, and nothing is lost",
          "[root]") {
  NEEDS_ROOT();
  const TempDir scratch;
  ShapedLink link;
  // The relay closes after the longer of send_timeout and 1.5 keep alives, unless the device has noticed earlier.
  Stage stage(
      with_far_remote(link, scratch,
                      {.fleet = {.behaviour = {.keep_alive = 2}},
                       .relayd = {{"listener", {{"send_timeout", "3s"}}}, {"remote", {{"connect_timeout", "2s"}}}}}));
  const auto before = link.figures();
  link.cut();
  const auto cut_at = Clock::now();
  stage.fleet().wait_for([](const Figures& f) { return f.disturbed == f.devices; }, "all devices know",
                         stage.patience());
  const auto known_after = std::chrono::duration_cast<milliseconds>(Clock::now() - cut_at);
  // A device that returns during the outage gets server unavailable, not silence.
  stage.fleet().wait_for(
      [](const Figures& f) {
        size_t refused = 0;
        for (const auto& [code, count] : f.seen.connacks) refused += code == 3 || code == 0x88 ? count : 0;
        return refused >= f.devices / 4;
      },
      "refusals while the line is cut", stage.patience());
  link.restore();
  const auto figures = stage.finish();
  for (const auto& [code, count] : figures.seen.connacks) {
    CAPTURE(code, count);
    CHECK((code == 0 || code == 3 || code == 0x88));
  }
  print_figures("all devices knew within " + seconds(known_after) + " (send_timeout 3 s, keep alive 2 s), " +
                packets(before, link.figures()));
}
