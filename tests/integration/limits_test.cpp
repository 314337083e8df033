// The limits of a session: keep alive, send_timeout, rates and max_connections, and the memory for a slow reader.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <thread>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;
using std::chrono::milliseconds;

namespace {

constexpr size_t megabyte = 1 << 20;

// A device, and its remote played by the test, both past CONNACK.
struct Pair {
  World world;
  Device device;
  TlsStream remote;

  explicit Pair(const Json& listener, int level = mqtt::v311, uint16_t keep_alive = 60, const std::string& connack = {})
      : world({.relayd = {{"listener", listener}}, .remote = RemoteKind::captured}),
        device(knock(world, level, keep_alive)),
        remote(world.captured->accept()) {
    remote.read_packet();
    remote.send(!connack.empty() ? connack : level == mqtt::v5 ? connack_accepted_v5 : connack_accepted);
    device.tls().read_packet();
  }
  static Device knock(World& world, int level, uint16_t keep_alive) {
    const auto identity = device_identity("p256", 1);
    world.give_key("thermo", identity);
    auto made = world.device(identity);
    made.tls().send(mqtt::connect({.client_id = "thermo", .level = level, .keep_alive = keep_alive}));
    return made;
  }
};

// Checks the DISCONNECT that a 5.0 device gets; 3.x has none.
void check_disconnect(const std::string& last, int level, char reason) {
  if (level != mqtt::v5) {
    CHECK(last.empty());
    return;
  }
  REQUIRE(last.size() >= 3);
  CHECK(last[0] == '\xe0');
  CHECK(last[2] == reason);
}

// PUBLISH packets of ten bytes each.
std::string publishes(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += mqtt::publish({.topic = "t", .payload = std::to_string(10'000 + i)});
  return all;
}

std::string connack_with_keep_alive(uint16_t seconds) {
  return mqtt::packet(0x20, std::string("\0\0\3\x13", 4) + mqtt::number(seconds));
}

}  // namespace

TEST_CASE("keep alive: a silent device gets DISCONNECT and is closed, the remote gets none, so it sends the will") {
  const int level = GENERATE(mqtt::v311, mqtt::v5);
  Pair pair(Json{{"keepalive_multiplier", 1.5}}, level, 1);
  const auto begun = Clock::now();
  check_disconnect(pair.device.tls().read_to_end().leftover, level, '\x8d');
  CHECK(Clock::now() - begun > milliseconds(1000));
  CHECK(pair.remote.read_to_end().leftover.empty());
}

TEST_CASE("keep alive: in MQTT 5.0 the broker's server keep alive overrides the device's") {
  Pair pair(Json::object(), mqtt::v5, 600, connack_with_keep_alive(1));
  check_disconnect(pair.device.tls().read_to_end().leftover, mqtt::v5, '\x8d');
}

TEST_CASE("keep alive: the broker may set a longer keep alive than the device asked for, or none") {
  const uint16_t seconds = GENERATE(uint16_t{0}, uint16_t{600});
  Pair pair(Json::object(), mqtt::v5, 1, connack_with_keep_alive(seconds));
  CHECK_FALSE(pair.device.tls().readable(milliseconds(2500)));
  pair.device.tls().send(mqtt::pingreq());
  CHECK(pair.remote.read_packet().bytes == mqtt::pingreq());
}

TEST_CASE("keep alive: 0 means no limit, and a device that sends something now and then stays connected") {
  const auto keep_alive = GENERATE(uint16_t{0}, uint16_t{1});
  Pair pair(Json::object(), mqtt::v311, keep_alive);
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(pair.device.tls().readable(milliseconds(600)));
    pair.device.tls().send(mqtt::pingreq());
    CHECK(pair.remote.read_packet().bytes == mqtt::pingreq());
  }
}

TEST_CASE("keep alive: the built-in broker enforces it too") {
  World world({.relayd = {{"listener", {{"keepalive_multiplier", 1.0}}}}, .local = false});
  auto device = world.device(device_identity("p256", 1));
  CHECK(mqtt::connack_code(device.connect({.client_id = "keyless", .level = mqtt::v5, .keep_alive = 1})) == 0);
  check_disconnect(device.tls().read_to_end().leftover, mqtt::v5, '\x8d');
}

TEST_CASE("keep alive: a worker that was stopped does not count a device as silent that sent data meanwhile") {
  Pair pair(Json{{"keepalive_multiplier", 1.0}}, mqtt::v311, 1);
  const pid_t worker = pair.world.relay().workers().at(0);
  REQUIRE(kill(worker, SIGSTOP) == 0);
  pair.device.tls().send(mqtt::pingreq());
  CHECK_FALSE(pair.device.tls().readable(milliseconds(1500)));
  REQUIRE(kill(worker, SIGCONT) == 0);
  CHECK(pair.remote.read_packet().bytes == mqtt::pingreq());
  pair.remote.send("\xd0" + std::string(1, '\0'));
  CHECK(pair.device.tls().read_packet().type() == mqtt::Type::pingresp);
}

TEST_CASE("send_timeout: a device that reads nothing is closed together with its remote connection") {
  Pair pair(Json{{"send_timeout", "500ms"}});
  const auto all = mqtt::publish({.topic = "t", .payload = std::string(30 * megabyte, 'x')});
  // The device's keep alive, 60 s, is too long to be what ends the session.
  try {
    pair.remote.send_until_blocked(all, milliseconds(5000));
  } catch (const Failure&) {
  }
  pair.world.relay().log().wait_text("the device took nothing for send_timeout");
}

TEST_CASE("send_timeout: if the remote reads nothing, the device is closed, in 5.0 with DISCONNECT 0x80") {
  const int level = GENERATE(mqtt::v311, mqtt::v5);
  Pair pair(Json{{"send_timeout", "500ms"}}, level, /*keep_alive=*/0);
  const auto all = mqtt::publish({.topic = "t", .payload = std::string(30 * megabyte, 'x')}, level);
  // Once the session has ended, the relay still discards incoming data while it waits for the device to close.
  try {
    pair.device.tls().send_until_blocked(all, milliseconds(3000));
  } catch (const Failure&) {
  }
  check_disconnect(pair.device.tls().read_to_end().leftover, level, '\x80');
}

TEST_CASE("send_timeout: a peer that reads a little now and then keeps its session") {
  Pair pair(Json{{"send_timeout", "1s"}});
  const auto message = mqtt::publish({.topic = "t", .payload = std::string(4 * megabyte, 'x')});
  std::jthread sender([&] { pair.remote.send(message); });
  std::string got;
  for (int i = 0; i < 6; ++i) {  // three times send_timeout in all, more than the kernel's buffers alone could absorb
    pollfd none{-1, 0, 0};
    poll(&none, 1, 500);
    got += pair.device.tls().read_exactly(200'000);
  }
  got += pair.device.tls().read_exactly(message.size() - got.size());
  CHECK(got == message);
}

TEST_CASE("messages_rate: a device that exceeds the rate is read more slowly, and nothing is lost") {
  const bool local = GENERATE(false, true);
  Json listener = {{"messages_rate", "50/s"}};
  const auto begun = Clock::now();
  if (local) {  // by the built-in broker
    World world({.relayd = {{"listener", listener}}, .local = false});
    auto device = world.device(device_identity("p256", 1));
    device.join("keyless");
    device.tls().send(publishes(100));
    device.ping();
  } else {
    Pair pair(listener);
    const auto all = publishes(100);
    pair.device.tls().send(all + mqtt::pingreq());
    CHECK(pair.remote.read_exactly(all.size() + 2) == all + mqtt::pingreq());
    // Data in one piece may pass at once; data after it waits until the rate has paid for it.
    pair.device.tls().send(mqtt::pingreq());
    CHECK(pair.remote.read_packet().bytes == mqtt::pingreq());
    CHECK(Clock::now() - begun > milliseconds(900));
  }
}

TEST_CASE("bytes_rate: a device that exceeds the rate is read more slowly, and nothing is lost") {
  Pair pair(Json{{"bytes_rate", "100KB/s"}});
  const auto begun = Clock::now();
  const auto message = mqtt::publish({.topic = "t", .payload = std::string(300 * 1024, 'x')});
  pair.device.tls().send(message);
  CHECK(pair.remote.read_exactly(message.size()) == message);
  CHECK(Clock::now() - begun > milliseconds(900));  // the first 100 KB pass at once, and so does the last piece
}

TEST_CASE("messages_rate: a device held back by its rate does not count as silent") {
  Pair pair(Json{{"messages_rate", "10/s"}, {"keepalive_multiplier", 1.0}}, mqtt::v5, 1);
  const auto all = [] {
    std::string made;
    for (int i = 0; i < 45; ++i) made += mqtt::publish({.topic = "t", .payload = "x"}, mqtt::v5);
    return made;
  }();
  pair.device.tls().send(all);
  CHECK(pair.remote.read_exactly(all.size()) == all);
  // The rate's debt is 3.5 s; after that the relay reads its next packet.
  pair.device.tls().send(mqtt::pingreq());
  CHECK(pair.remote.read_packet().bytes == mqtt::pingreq());
}

TEST_CASE("high_watermark: the relay still passes everything on at the smallest value") {
  Pair pair(Json{{"high_watermark", "17KB"}});
  const auto message = mqtt::publish({.topic = "t", .payload = std::string(megabyte, 'x')});
  std::jthread up([&] { pair.device.tls().send(message); });
  CHECK(pair.remote.read_exactly(message.size()) == message);
  up.join();
  std::jthread down([&] { pair.remote.send(message); });
  CHECK(pair.device.tls().read_exactly(message.size()) == message);
}

TEST_CASE("max_conn_rate: connections over the rate wait, and all of them get in") {
  World world({.relayd = {{"listener", {{"max_conn_rate", "10/s"}}}}});
  std::vector<Device> devices;
  const auto begun = Clock::now();
  for (int i = 0; i < 20; ++i) devices.push_back(world.device(device_identity("p256", 1)));
  for (size_t i = 0; i < devices.size(); ++i) devices[i].join("keyless-" + std::to_string(i));
  CHECK(Clock::now() - begun > milliseconds(900));
}

TEST_CASE("a drain sends each device what fits its state: 0x8B, 0x88 or nothing") {
  World world({.remote = RemoteKind::captured});
  auto up = Pair::knock(world, mqtt::v5, 60);
  auto remote = world.captured->accept();
  remote.read_packet();
  remote.send(connack_accepted_v5);
  up.tls().read_packet();
  auto waiting = Pair::knock(world, mqtt::v5, 60);  // waits for its CONNACK
  auto silent = world.captured->accept();
  silent.read_packet();
  auto mute = world.device(device_identity("p256", 1));  // has sent nothing yet
  // Data that the remote sent earlier reaches the device before the close.
  const auto last = mqtt::publish({.topic = "t", .payload = "last"}, mqtt::v5);
  remote.send(last);
  CHECK(up.tls().read_packet().bytes == last);
  world.relay().relayd().signal(SIGTERM);
  check_disconnect(up.tls().read_to_end().leftover, mqtt::v5, '\x8b');
  CHECK(mqtt::connack_code(waiting.tls().read_packet()) == 0x88);
  CHECK(mute.tls().read_to_end().leftover.empty());
  CHECK(remote.read_to_end().leftover.empty());
}

TEST_CASE("a stop tells devices of another gateway, if the operator has named one, and a reload does not") {
  World world({.relayd = {{"server_reference", "gw2.example:8883"}, {"retire_timeout", "50ms"}}});
  const std::string reference = std::string("\x1c\0\x10gw2.example:8883", 19);
  auto retired = world.join("dev1", mqtt::v5);
  world.relay().reload();
  check_disconnect(retired.tls().read_to_end().leftover, mqtt::v5, '\x8b');
  auto moved = world.join("dev2", mqtt::v5);
  world.relay().relayd().signal(SIGTERM);
  const auto told = moved.tls().read_to_end().leftover;
  check_disconnect(told, mqtt::v5, '\x9c');
  CHECK(told.find(reference) != std::string::npos);
}

TEST_CASE("a drain does not end all sessions at once") {
  World world({.relayd = {{"workers", 1}}, .local = false});
  std::vector<Device> devices;
  for (int i = 0; i < 40; i++) {
    devices.push_back(world.device(device_identity("p256", 1)));
    devices.back().join("keyless-" + std::to_string(i), mqtt::v5);
  }
  const size_t mark = world.relay().log().mark();
  world.relay().relayd().signal(SIGTERM);
  for (auto& device : devices) check_disconnect(device.tls().read_to_end().leftover, mqtt::v5, '\x8b');
  const auto closed = world.relay().log().json([](const Json& j) { return j.value("why", "") == "draining"; }, mark);
  REQUIRE(closed.size() == 40);
  // Ten in a tick of 50 ms: three ticks lie between the first and the last, by the loop's clock, which may be behind.
  const auto milliseconds_of = [](const Json& line) {
    const auto time = line.at("time").get<std::string>();  // 2026-11-27T02:15:39.123456Z
    return std::stoll(time.substr(14, 2)) * 60'000 + std::stoll(time.substr(17, 2)) * 1000 +
           std::stoll(time.substr(20, 3));
  };
  const auto took = (milliseconds_of(closed.back()) - milliseconds_of(closed.front()) + 3'600'000) % 3'600'000;
  CHECK(took >= 100);
}

TEST_CASE("a flood of failed handshakes becomes a few log lines, which say how many were suppressed") {
  World world;
  const auto context = TlsContext::client(nullptr, authorities().root);
  const auto left_out = [&] {
    return world.relay().log().json([](const Json& j) { return j.value("suppressed", 0) > 0; });
  };
  size_t failed = 0;
  for (const auto deadline = patience(); left_out().empty() && !deadline.over(); ++failed) {
    auto stream = TlsStream::open(world.relay().endpoint(), context);
    REQUIRE(send(stream.fd(), "\x16\x03\x01", 3, MSG_NOSIGNAL) ==
            3);  // the start of a TLS record, so that it does not count as a probe
    stream.vanish();
  }
  CHECK_FALSE(left_out().empty());
  CHECK(world.relay().log().json(is_end).size() < failed);
}

TEST_CASE("after a flood of failed handshakes its last lines are counted, though no device fails any more") {
  World world({.relayd = {{"workers", 1}}});
  const auto context = TlsContext::client(nullptr, authorities().root);
  constexpr int kFailed = 30;
  for (int i = 0; i < kFailed; i++) {
    auto stream = TlsStream::open(world.relay().endpoint(), context);
    REQUIRE(send(stream.fd(), "\x16\x03\x01", 3, MSG_NOSIGNAL) == 3);
    stream.vanish();
  }
  const auto told = [&](size_t lines) {
    int64_t devices = 0;
    for (const Json& line : world.relay().log().json()) {
      if (lines-- == 0) break;
      devices += is_end(line) ? 1 : 0;
      devices += line.value("suppressed", 0);
    }
    return devices;
  };
  for (size_t lines = world.relay().log().mark(); told(lines) < kFailed; lines = world.relay().log().mark())
    world.relay().log().wait([](const std::string&) { return true; }, "a count of what was left out", lines);
  CHECK(told(world.relay().log().mark()) == kFailed);
}

TEST_CASE("max_conn_rate_per_address: an address over it is closed before TLS, counted and named, and others get in") {
  World world({.relayd = {{"listener", {{"max_conn_rate_per_address", "3/h"}}}}});
  const auto identity = device_identity("p256", 1);
  const auto context = TlsContext::client(&identity, authorities().root);
  for (int i = 0; i < 3; i++) TlsStream::connect(world.relay().endpoint(), context);
  auto over = TlsStream::open(world.relay().endpoint(), context);
  CHECK(over.refused_handshake().how != Ending::alert);
  const auto line = world.relay().log().wait_json(
      [](const Json& j) { return j.value("cause", "") == "max_conn_rate_per_address"; }, "the refusal");
  CHECK(line.value("device", "").starts_with("127.0.0.1:"));
  CHECK(line.value("listener", "") == "default");

  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in from{}, to{};
  from.sin_family = to.sin_family = AF_INET;
  to.sin_port = htons(world.relay().endpoint().port);
  REQUIRE(inet_pton(AF_INET, own_address().c_str(), &from.sin_addr) == 1);
  REQUIRE(inet_pton(AF_INET, world.relay().endpoint().host.c_str(), &to.sin_addr) == 1);
  REQUIRE(bind(other, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
  REQUIRE(connect(other, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  auto elsewhere = RawTls::client(RawSocket(other), context);
  elsewhere.handshake();
  CHECK(elsewhere.done());
}

TEST_CASE("max_conn_rate_per_address: behind a load balancer the address is the one in the PROXY header") {
  World world(
      {.relayd = {
           {"listener",
            {{"max_conn_rate_per_address", "1/h"}, {"proxy_protocol", true}, {"trusted_proxies", {"127.0.0.0/8"}}}}}});
  const auto identity = device_identity("p256", 1);
  const auto context = TlsContext::client(&identity, authorities().root);
  const auto from = [&](const std::string& address) {
    RawSocket socket(world.relay().endpoint());
    socket.send("PROXY TCP4 " + address + " 192.0.2.1 1000 8883\r\n");
    return socket;
  };
  for (const char* address : {"192.0.2.7", "192.0.2.8"}) {
    auto device = RawTls::client(from(address), context);
    device.handshake();
    CHECK(device.done());
  }
  CHECK(from("192.0.2.7").receive_to_end().empty());
  world.relay().log().wait_text("its address is over max_conn_rate_per_address");
}
