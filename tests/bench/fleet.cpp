#include "tests/bench/fleet.h"

#include <array>
#include <fstream>

namespace bench {
namespace {

constexpr std::chrono::seconds kStuck{30};

// The text up to and with `end`, which it takes from `rest`; empty if `end` does not come.
std::string take(std::string_view& rest, std::string_view end) {
  const size_t at = rest.find(end);
  const size_t size = at == std::string_view::npos ? 0 : at + end.size();
  const std::string taken(rest.substr(0, size));
  rest.remove_prefix(size);
  return taken;
}

}  // namespace

Device::Device(Fleet& fleet, size_t number, const Address& address)
    : Endpoint(fleet.loop, connect_to(address, number), fleet.identity(number).context.get(), false),
      index(number),
      fleet_(fleet) {}

void Device::on_open() { write(connect_packet(fleet_.identity(index).name)); }

void Device::on_packet(uint8_t first, Bytes body) {
  if (online) return fleet_.work().packet(*this, first, body);
  if (first != kConnack || body.size() < 2 || body[1] != 0)
    throw Failure(fleet_.identity(index).name + ": the answer to CONNECT is not CONNACK with code 0");
  online = true;
  fleet_.work().online(*this);
}

void Device::on_drained() {
  if (online) fleet_.work().drained(*this);
}

void Device::on_closed(const std::string& why) { leaving ? fleet_.work().left(*this) : fleet_.work().lost(*this, why); }

void Device::leave() {
  leaving = true;
  write(std::array<uint8_t, 2>{kDisconnect, 0});
}

void Device::publish(int qos, size_t payload) {
  write(publish_packet("bench", qos, next_id, payload));
  next_id = static_cast<uint16_t>(next_id == 65'535 ? 1 : next_id + 1);
}

void Work::lost(Device& device, const std::string& why) {
  throw Failure("device " + std::to_string(device.index) + " lost its connection " +
                (device.online ? "in its session" : "before CONNACK") + ": " + why);
}

Fleet::Fleet(const std::string& file, size_t first, size_t count, const std::string& tls) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::string_view rest = text;
  for (size_t i = 0; i < first + count; i++) {
    std::string name = take(rest, "\n");
    const std::string key = take(rest, "-----END PRIVATE KEY-----\n");
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";
    std::string chain = take(rest, kEnd);
    chain += take(rest, kEnd);  // the intermediate
    if (chain.empty())
      throw Failure(file + " has " + std::to_string(i) + " devices, not " + std::to_string(first + count));
    name.pop_back();
    if (i >= first) identities_.push_back({std::move(name), client_context(tls, chain, key)});
  }
  devices_.resize(count);
}

void Fleet::dial(size_t index, const Address& address) {
  if (devices_[index]) gone(*devices_[index]);
  devices_[index] = std::make_unique<Device>(*this, index, address);
}

void Fleet::gone(Device& device) { loop.bury(std::move(devices_[device.index])); }

void Fleet::run(Work& work, const std::function<bool()>& done, const std::function<size_t()>& progress,
                const std::function<Clock::time_point()>& wake) {
  employ(work);
  auto moved = Clock::now();
  size_t last = progress();
  while (!done()) {
    std::chrono::nanoseconds wait = std::chrono::seconds(1);
    if (wake) wait = std::clamp<std::chrono::nanoseconds>(wake() - Clock::now(), std::chrono::nanoseconds(0), wait);
    loop.turn(wait);
    if (const size_t now = progress(); now != last) {
      last = now;
      moved = Clock::now();
    } else if (Clock::now() - moved > kStuck) {
      throw Failure("nothing has happened for 30 s, after " + std::to_string(now) + " steps");
    }
  }
}

void Fleet::connect(size_t count, size_t in_flight) {
  struct Arrival : Work {
    Fleet& fleet;
    size_t count, next = 0, there = 0;
    Arrival(Fleet& f, size_t c) : fleet(f), count(c) {}
    void dial() {
      if (next < count) fleet.dial(next++);
    }
    void online(Device&) override {
      there++;
      dial();
    }
  } arrival(*this, count);
  employ(arrival);
  for (size_t i = 0; i < in_flight; i++) arrival.dial();
  run(
      arrival, [&] { return arrival.there == count; }, [&] { return arrival.there; });
}

}  // namespace bench
