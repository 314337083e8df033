// What must not grow: memory while a reader is slow, and descriptors after hundreds of sessions.

#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr size_t megabyte = 1 << 20;
// Far more than one session may buffer in both directions, and less than half of the data sent.
constexpr size_t allowed_growth = (under_sanitizer ? 1000 : 12) * megabyte;
// How long a sender must be unable to send to count as blocked; a relay that kept reading would have taken everything.
constexpr std::chrono::milliseconds blocked(1500);

// Fifty different messages of 1 MB.
std::string fifty_megabytes() {
  std::string all;
  for (int i = 0; i < 50; ++i) {
    std::string payload(megabyte, '\0');
    for (size_t j = 0; j < payload.size(); ++j)
      payload[j] = static_cast<char>((j + 1) * (static_cast<size_t>(i) + 7) >> 9);
    all += mqtt::publish({.topic = "any/flood", .payload = payload});
  }
  return all;
}

// Sends `all` from one end while the other end does not read, then lets it read. The worker's peak memory must stay
// flat.
void check_flat(World& world, TlsStream& from, TlsStream& to, const std::string& all) {
  const auto worker = world.relay().workers().at(0);
  const auto before = peak_memory(worker);
  const size_t sent = from.send_until_blocked(all, blocked);
  CHECK(sent < all.size() / 2);
  CHECK(peak_memory(worker) < before + allowed_growth);

  std::string sender_error;
  std::jthread sender([&] {
    try {
      from.send(std::string_view(all).substr(sent));
    } catch (const std::exception& e) {
      sender_error = e.what();
    }
  });
  size_t compared = 0;
  bool equal = true;
  while (compared < all.size() && equal) {
    const auto part = to.read_some(65536);
    equal = all.compare(compared, part.size(), part) == 0;
    compared += part.size();
  }
  sender.join();
  CHECK(sender_error == "");
  CHECK(equal);
  CHECK(compared == all.size());
  CHECK(peak_memory(worker) < before + allowed_growth);
}

struct Pair {
  World world{{.remote = RemoteKind::captured}};
  TlsStream device, remote;

  static TlsStream start(World& world) {
    const auto identity = device_identity("p256", 1);
    world.give_key("flood", identity);
    auto stream = TlsStream::connect(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
    stream.send(mqtt::connect({.client_id = "flood"}));
    return stream;
  }
  Pair() : device(start(world)), remote(world.captured->accept()) {
    remote.read_packet();
    remote.send(connack_accepted);
    device.read_packet();
  }
};

}  // namespace

TEST_CASE("with a device that reads slowly, the worker's memory stays flat and nothing is lost") {
  Pair pair;
  check_flat(pair.world, pair.remote, pair.device, fifty_megabytes());
}

TEST_CASE("with a remote that reads slowly, the worker's memory stays flat and nothing is lost") {
  Pair pair;
  check_flat(pair.world, pair.device, pair.remote, fifty_megabytes());
}

TEST_CASE("a slow reader does not delay other sessions") {
  World world({.remote = RemoteKind::captured});
  std::vector<TlsStream> devices, remotes;
  for (int i = 0; i < 2; ++i) {
    const auto identity = device_identity("p256", i + 1);
    const auto id = "client-" + std::to_string(i);
    world.give_key(id, identity);
    devices.push_back(TlsStream::connect(world.relay().endpoint(), TlsContext::client(&identity, authorities().root)));
    devices.back().send(mqtt::connect({.client_id = id}));
    remotes.push_back(world.captured->accept());
    remotes.back().read_packet();
    remotes.back().send(connack_accepted);
    devices.back().read_packet();
  }
  remotes[0].send_until_blocked(fifty_megabytes(), blocked);
  for (int i = 0; i < 100; ++i) {
    const auto message = mqtt::publish({.topic = "any/t", .payload = std::to_string(i)});
    remotes[1].send(message);
    CHECK(devices[1].read_packet().bytes == message);
  }
}

TEST_CASE("while the remote is slow to answer, the relay buffers a bounded amount from the device") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("flood", identity);
  auto device = world.device(identity);
  const auto worker = world.relay().workers().at(0);
  const auto before = peak_memory(worker);
  device.tls().send(mqtt::connect({.client_id = "flood"}));
  const auto remote = world.captured->accept_silently();
  const auto all = fifty_megabytes();
  CHECK(device.tls().send_until_blocked(all, blocked) < all.size() / 2);
  CHECK(peak_memory(worker) < before + allowed_growth);
}

TEST_CASE("after 200 sessions the worker has as many descriptors as before", "[root]") {
  NEEDS_ROOT();
  World world({.relayd = {{"remote", {{"connack_timeout", "5s"}}}}});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  world.give_key("wrong", device_identity("p256", 2));
  const auto worker = world.relay().workers().at(0);
  const auto round = [&](int i) {
    switch (i % 5) {
      case 0: {
        auto device = world.device(identity);
        device.join("thermo");
        device.disconnect();
        device.tls().read_to_end();
        break;
      }
      case 1: {
        auto device = world.device(identity);
        device.join("thermo");
        device.tls().vanish();
        break;
      }
      case 2: {
        auto device = world.device(identity);
        device.join("keyless");
        device.disconnect();
        device.tls().read_to_end();
        break;
      }
      case 3: world.refusal(identity, "wrong", mqtt::v311); break;
      default: {
        auto stream = TlsStream::open(world.relay().endpoint(), TlsContext::client(nullptr, authorities().root));
        stream.refused_handshake();
      }
    }
  };
  // By now the worker has handled every earlier close: the remote has seen those sessions end.
  const auto settle = [&](int count) {
    world.remote->log().wait(
        [&, seen = 0](const std::string& line) mutable {
          return (line.find("Client thermo disconnected") != line.npos ||
                  line.find("Client thermo closed its connection") != line.npos) &&
                 ++seen == count;
        },
        "that thermo went " + std::to_string(count) + " times");
    auto last = world.device(identity);
    last.join("keyless");
    last.ping();
    return open_descriptors(worker);
  };
  for (int i = 0; i < 20; ++i) round(i);
  const auto before = settle(8);
  for (int i = 0; i < 200; ++i) round(i);
  CHECK(settle(88) <= before + 1);
}
