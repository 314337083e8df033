// Latency at a rate, alone or while something disturbs the relay.
#include <algorithm>
#include <cmath>

#include "tests/bench/modes.h"

namespace bench {
namespace {

constexpr size_t kBulkPayload = 262'144, kBulksPerMib = 1'048'576 / kBulkPayload;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// The first `talkers` devices of the fleet send at the rate, each in its turn.
struct Talk : Work {
  Fleet& fleet;
  const size_t talkers, size;
  const Clock::duration interval;
  Clock::time_point began{};
  size_t sent = 0, acknowledged = 0, least = 0;
  std::vector<float> us{};

  Talk(Fleet& f, const Options& options)
      : fleet(f),
        talkers(options.devices),
        size(options.size),
        interval(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options.rate))) {}

  virtual bool disturbed() const { return false; }
  virtual size_t steps() const { return acknowledged; }

  void packet(Device& device, uint8_t first, Bytes) override {
    if (first != kPuback) return;
    acknowledged++;
    us.push_back(static_cast<float>(1e6 * seconds(Clock::now() - device.waiting.front())));
    device.waiting.pop_front();
  }
  // Latency counts from when the message was due, so that a relay that stops the devices from sending does not hide it.
  Clock::time_point due() const { return began + interval * static_cast<int64_t>(sent); }
  bool talking() const { return sent < least || disturbed(); }
  void send() {
    for (const auto now = Clock::now(); talking() && due() <= now; sent++) {
      Device& device = fleet.device(sent % talkers);
      if (device.waiting.size() > 60'000) throw Failure("the relay does not keep up with the rate");
      device.waiting.push_back(due());
      device.publish(1, size);
      device.flush();
    }
  }
  // Sends `messages` at least, and until nothing disturbs the relay any more.
  void run(size_t messages) {
    began = Clock::now();
    least = std::max<size_t>(messages, 1);
    sent = acknowledged = 0;
    us.clear();
    const auto done = [&] {
      send();
      return !talking() && acknowledged == sent;
    };
    const auto wake = [&] { return talking() ? due() : Clock::now() + std::chrono::seconds(1); };
    fleet.run(
        *this, done, [&] { return steps(); }, wake);
  }
};

// The device behind the talkers sends a bulk.
struct TalkBesideBulk : Talk {
  size_t left = 0, drains = 0;
  bool sending = false;
  Clock::time_point sent_all{};
  const std::vector<uint8_t> bulk = publish_packet("bench", 0, 0, kBulkPayload);
  using Talk::Talk;

  void begin(size_t mib) {
    sending = true;
    left = mib * kBulksPerMib - 1;
    fleet.device(talkers).write(bulk);
    fleet.device(talkers).flush();
  }
  bool disturbed() const override { return sending; }
  size_t steps() const override { return acknowledged + drains; }
  void packet(Device& device, uint8_t first, Bytes body) override {
    if (device.index < talkers) Talk::packet(device, first, body);
    else if (first == kPuback) sending = false, sent_all = Clock::now();
  }
  void drained(Device& device) override {
    drains++;
    if (left == 0 || device.index != talkers) return;
    left--;
    device.write(bulk);
    if (left == 0) device.publish(1, 0);  // acknowledged after all that was sent before it
  }
};

// The broker cuts all sessions behind the talkers, and these devices connect again, `in_flight` at a time.
struct TalkBesideStorm : Talk {
  const size_t in_flight, commander;
  size_t away = 0, dialling = 0, returned = 0;
  bool told = false;
  Clock::time_point back{};
  std::deque<size_t> queue{};
  TalkBesideStorm(Fleet& f, const Options& options)
      : Talk(f, options), in_flight(options.in_flight), commander(options.devices + options.cut) {}

  void prepare(const Address& broker) {
    fleet.employ(*this);
    for (size_t i = 0; i < talkers; i++) {
      fleet.device(i).write(publish_packet("bench/keep", ""));
      fleet.device(i).flush();
    }
    fleet.dial(commander, broker);
    fleet.run(
        *this, [&] { return fleet.device(commander).online; }, [&] { return returned; });
  }
  void begin() {
    told = true;
    returned = 0;
    fleet.device(commander).write(publish_packet("bench/cut", ""));
    fleet.device(commander).flush();
  }
  bool disturbed() const override { return told && (away > 0 || returned < commander - talkers); }
  size_t steps() const override { return acknowledged + returned; }
  void lost(Device& device, const std::string& why) override {
    if (device.index < talkers || device.index == commander) Work::lost(device, why);
    device.online ? away++ : dialling--;
    queue.push_back(device.index);
    dial();
  }
  void online(Device& device) override {
    if (device.index == commander) return;
    away--;
    dialling--;
    returned++;
    back = Clock::now();
    dial();
  }
  void dial() {
    for (; dialling < in_flight && !queue.empty(); dialling++, queue.pop_front()) fleet.dial(queue.front());
  }
};

void report(Talk& talk, size_t units, nlohmann::json more = {}) {
  more.update({{"units", units}, {"seconds", seconds(Clock::now() - talk.began)}, {"us", percentiles(talk.us)}});
  print(more);
}

}  // namespace

// With a disturbance, the first of several passes is quiet.
void run_latency(const Options& options) {
  if (options.rate <= 0) throw Failure("needs --rate");
  const size_t others = options.cut > 0 ? options.cut + 1 : options.bulk_mib > 0 ? 1 : 0;
  Fleet fleet(options.devices_file, options.first, options.devices + others, options.tls);
  fleet.relay = options.relay;
  fleet.connect(options.devices + (options.cut > 0 ? options.cut : others), options.in_flight);
  const auto messages = static_cast<size_t>(std::llround(options.seconds * options.rate));
  const auto passes = [&](Talk& talk, const auto& begin, const auto& more) {
    talk.run(messages / 10);
    for (size_t pass = 0; pass < options.passes && ready(); pass++) {
      if (pass > 0 || options.passes == 1) begin();
      talk.run(messages);
      report(talk, talk.sent, more());
    }
  };
  const auto nothing = [] { return nlohmann::json::object(); };
  if (options.cut > 0) {
    TalkBesideStorm talk(fleet, options);
    talk.prepare(options.broker);
    passes(
        talk, [&] { talk.begin(); },
        [&] {
          return nlohmann::json{{"recovery_s", talk.told ? seconds(talk.back - talk.began) : 0}};
        });
  } else if (options.bulk_mib > 0) {
    TalkBesideBulk talk(fleet, options);
    passes(
        talk, [&] { talk.begin(options.bulk_mib); },
        [&] {
          return nlohmann::json{{"bulk_s", seconds(talk.sent_all - talk.began)}};
        });
  } else {
    Talk talk(fleet, options);
    passes(
        talk, [] {}, nothing);
  }
}

}  // namespace bench
