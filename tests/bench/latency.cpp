// Latency at a rate.
#include <poll.h>
#include <unistd.h>

#include <cmath>
#include <iostream>

#include "tests/bench/modes.h"

namespace bench {
namespace {

constexpr std::chrono::milliseconds kListens{10};  // how often the work looks for a line that ends it

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

bool told() {
  pollfd in{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return poll(&in, 1, 0) > 0;
}

// The devices send in turn.
struct Talk : Work {
  Fleet& fleet;
  const size_t size;
  const Clock::duration interval;
  Clock::time_point began{}, listened{};
  size_t sent = 0, acknowledged = 0;
  bool talking = false;
  std::vector<float> us{};

  Talk(Fleet& f, const Options& options)
      : fleet(f),
        size(options.size),
        interval(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options.rate))) {
    fleet.employ(*this);
    for (size_t i = 0; i < fleet.size(); i++) {
      fleet.device(i).write(publish_packet("bench/keep", ""));
      fleet.device(i).flush();
    }
  }

  void packet(Device& device, uint8_t first, Bytes) override {
    if (first != kPuback) return;
    acknowledged++;
    us.push_back(static_cast<float>(1e6 * seconds(Clock::now() - device.waiting.front())));
    device.waiting.pop_front();
  }
  // Latency counts from when the message was due, so that a relay that stops the devices from sending does not hide it.
  Clock::time_point due() const { return began + interval * static_cast<int64_t>(sent); }
  void send() {
    for (const auto now = Clock::now(); talking && due() <= now; sent++) {
      Device& device = fleet.device(sent % fleet.size());
      if (device.waiting.size() > 60'000) throw Failure("the relay does not keep up with the rate");
      device.waiting.push_back(due());
      device.publish(1, size);
      device.flush();
    }
  }
  // Sends until `enough`, which is asked between turns of the loop.
  void run(const std::function<bool()>& enough) {
    began = Clock::now();
    sent = acknowledged = 0;
    talking = true;
    us.clear();
    const auto done = [&] {
      talking = talking && !enough();
      send();
      return !talking && acknowledged == sent;
    };
    const auto wake = [&] { return talking ? due() : Clock::now() + std::chrono::seconds(1); };
    fleet.run(
        *this, done, [&] { return acknowledged; }, wake);
  }
  void run(size_t messages) {
    run([this, messages] { return sent >= messages; });
  }
  void run_until_told() {
    run([this] {
      if (Clock::now() - listened < kListens) return false;
      listened = Clock::now();
      return told();
    });
    std::string line;
    std::getline(std::cin, line);
  }
};

}  // namespace

void run_latency(const Options& options) {
  if (options.rate <= 0) throw Failure("needs --rate");
  Fleet fleet(options.devices_file, options.first, options.devices, options.tls);
  fleet.relay = options.relay;
  fleet.connect(options.devices, options.in_flight);
  Talk talk(fleet, options);
  const size_t messages = std::max<size_t>(1, static_cast<size_t>(std::llround(options.seconds * options.rate)));
  talk.run(messages / 10);
  for (size_t pass = 0; pass < options.passes && ready(); pass++) {
    if (options.until_told && pass + 1 == options.passes) talk.run_until_told();
    else talk.run(messages);
    print({{"units", talk.sent}, {"seconds", seconds(Clock::now() - talk.began)}, {"us", percentiles(talk.us)}});
  }
}

}  // namespace bench
