#include "tests/bench/modes.h"

#include <array>
#include <iostream>

namespace bench {
namespace {

constexpr size_t kBulkPayload = 262'144, kBulksPerMib = 1'048'576 / kBulkPayload;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }
float us_since(Clock::time_point began) {
  return std::chrono::duration<float, std::micro>(Clock::now() - began).count();
}

Fleet make_fleet(const Options& options, size_t more = 0) {
  return Fleet(options.devices_file, options.first, options.devices + more, options.tls);
}

bool input_ended() {
  std::string line;
  return !std::getline(std::cin, line);
}

struct Storm : Work {
  Fleet& fleet;
  size_t next = 0, done = 0;
  std::vector<float> us{};
  explicit Storm(Fleet& f) : fleet(f) {}
  void dial() {
    if (next < fleet.size()) fleet.dial(next++);
  }
  void online(Device& device) override {
    us.push_back(us_since(device.dialled));
    device.leave();
  }
  void left(Device& device) override {
    fleet.gone(device);
    done++;
    dial();
  }
};

// The broker cuts the devices' sessions; they connect again, `in_flight` at a time.
struct Return : Work {
  Fleet& fleet;
  const size_t in_flight;
  size_t dialling = 0, returned = 0;
  std::deque<size_t> away{};
  Return(Fleet& f, size_t at_a_time) : fleet(f), in_flight(at_a_time) {}

  void lost(Device& device, const std::string&) override {
    if (!device.online) dialling--;
    away.push_back(device.index);
    dial();
  }
  void online(Device&) override {
    dialling--;
    returned++;
    dial();
  }
  void dial() {
    for (; dialling < in_flight && !away.empty(); dialling++, away.pop_front()) fleet.dial(away.front());
  }
};

// QoS 1, each device with a window of its own.
struct Conversation : Work {
  size_t count, size, sent = 0, acknowledged = 0;
  std::vector<float> us{};
  Conversation(size_t messages, size_t bytes) : count(messages), size(bytes) { us.reserve(messages); }
  void say(Device& device) {
    if (sent == count) return;
    sent++;
    device.waiting.push_back(Clock::now());
    device.publish(1, size);
  }
  void packet(Device& device, uint8_t first, Bytes) override {
    if (first != kPuback) return;
    acknowledged++;
    us.push_back(us_since(device.waiting.front()));
    device.waiting.pop_front();
    say(device);
  }
  void run(Fleet& fleet, size_t devices, size_t window) {
    fleet.employ(*this);
    for (size_t i = 0; i < devices; i++) {
      for (size_t w = 0; w < window; w++) say(fleet.device(i));
      fleet.device(i).flush();
    }
    fleet.run(
        *this, [&] { return acknowledged == count; }, [&] { return acknowledged; });
  }
};

}  // namespace

void run_connect(const Options& options) {
  Fleet fleet = make_fleet(options);
  fleet.relay = options.relay;
  for (size_t pass = 0; pass < options.passes && ready(); pass++) {
    Storm storm(fleet);
    fleet.employ(storm);
    const auto began = Clock::now();
    for (size_t i = 0; i < options.in_flight; i++) storm.dial();
    fleet.run(
        storm, [&] { return storm.done == fleet.size(); }, [&] { return storm.done + storm.us.size(); });
    print({{"units", storm.done}, {"seconds", seconds_since(began)}, {"us", percentiles(storm.us)}});
  }
}

void run_hold(const Options& options) {
  Fleet fleet = make_fleet(options);
  fleet.relay = options.relay;
  if (!ready()) return;
  const auto began = Clock::now();
  fleet.connect(options.devices, options.in_flight);
  print({{"units", options.devices}, {"seconds", seconds_since(began)}});
  while (!input_ended()) continue;
}

void run_return(const Options& options) {
  Fleet fleet = make_fleet(options, 1);
  fleet.relay = options.relay;
  fleet.connect(options.devices, options.in_flight);
  struct : Work {
    bool there = false;
    void online(Device&) override { there = true; }
  } commander;
  fleet.employ(commander);
  fleet.dial(options.devices, options.broker);
  const auto arrived = [&] { return size_t{commander.there}; };
  fleet.run(
      commander, [&] { return commander.there; }, arrived);
  if (!ready()) return;
  const auto began = Clock::now();
  Return work(fleet, options.in_flight);
  fleet.employ(work);
  fleet.device(options.devices).write(publish_packet("bench/cut", ""));
  fleet.device(options.devices).flush();
  fleet.run(
      work, [&] { return work.returned == options.devices; }, [&] { return work.returned; });
  print({{"units", options.devices}, {"seconds", seconds_since(began)}});
}

void run_message(const Options& options) {
  Fleet fleet = make_fleet(options);
  fleet.relay = options.relay;
  fleet.connect(options.devices, options.in_flight);
  Conversation(options.devices * options.window * 4, options.size).run(fleet, options.devices, options.window);
  for (size_t pass = 0; pass < options.passes && ready(); pass++) {
    Conversation conversation(options.count, options.size);
    const auto began = Clock::now();
    conversation.run(fleet, options.devices, options.window);
    print({{"units", options.count}, {"seconds", seconds_since(began)}, {"us", percentiles(conversation.us)}});
  }
}

void run_fanout(const Options& options) {
  Fleet fleet = make_fleet(options, 1);
  fleet.relay = options.relay;
  fleet.connect(options.devices, options.in_flight);
  fleet.dial(options.devices, options.broker);  // commands the broker
  struct Audience : Work {
    size_t answered = 0, got = 0, online_ = 0;
    void online(Device&) override { online_++; }
    void packet(Device&, uint8_t first, Bytes) override { (first & 0xF0) == kPublish ? got++ : answered++; }
  } audience;
  fleet.employ(audience);
  const std::array<uint8_t, 12> subscribe{kSubscribe, 10, 0, 1, 0, 5, 'b', 'e', 'n', 'c', 'h', 0};
  for (size_t i = 0; i < options.devices; i++) {
    fleet.device(i).write(subscribe);
    fleet.device(i).flush();
  }
  const auto progress = [&] { return audience.answered + audience.got + audience.online_; };
  fleet.run(
      audience, [&] { return audience.answered == options.devices && audience.online_ == 1; }, progress);
  const std::vector<uint8_t> command = publish_packet("bench/fan", std::string(options.size, 'x'));
  const auto tell = [&](size_t times) {
    for (size_t i = 0; i < times; i++) {
      const size_t all = audience.got + options.devices;
      fleet.device(options.devices).write(command);
      fleet.device(options.devices).flush();
      fleet.run(
          audience, [&] { return audience.got == all; }, progress);
    }
  };
  tell(10);
  for (size_t pass = 0; pass < options.passes && ready(); pass++) {
    const auto began = Clock::now();
    tell(options.count);
    print({{"units", options.count * options.devices}, {"seconds", seconds_since(began)}});
  }
}

void run_bulk(const Options& options, bool up) {
  Fleet fleet = make_fleet(options);
  fleet.relay = options.relay;
  fleet.connect(1, 1);
  struct Bulk : Work {
    std::vector<uint8_t> packet_ = publish_packet("bench", 0, 0, kBulkPayload);
    size_t left = 0, got = 0, acknowledged = 0, steps = 0;
    void drained(Device& device) override {
      steps++;
      if (left == 0) return;
      left--;
      device.write(packet_);
      if (left == 0) device.publish(1, 0);  // its PUBACK comes after all that was sent before it
    }
    void packet(Device&, uint8_t first, Bytes) override { first == kPuback ? acknowledged++ : got++; }
  } bulk;
  fleet.employ(bulk);
  const auto move = [&](size_t mib) {
    Device& device = fleet.device(0);
    if (up) {
      bulk.left = mib * kBulksPerMib - 1;
      device.write(bulk.packet_);
    } else {
      device.write(publish_packet("bench/down", std::to_string(mib)));
    }
    const size_t all = up ? bulk.acknowledged + 1 : bulk.got + mib * kBulksPerMib;
    device.flush();
    fleet.run(
        bulk, [&] { return (up ? bulk.acknowledged : bulk.got) == all; }, [&] { return bulk.steps + bulk.got; });
  };
  move(4);
  for (size_t pass = 0; pass < options.passes && ready(); pass++) {
    const auto began = Clock::now();
    move(options.mib);
    print({{"units", options.mib}, {"seconds", seconds_since(began)}});
  }
}

}  // namespace bench
