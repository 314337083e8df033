// MQTT over WebSocket: the remote broker gets the bytes in the frames, and a client that breaks a rule hears which.

#include "tests/integration/harness/websocket.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;
using namespace std::string_literals;

namespace {

constexpr size_t megabyte = 1 << 20;

struct Settings {
  Json websocket = Json::object(), listener = Json::object();
  RemoteKind remote = RemoteKind::captured;
};

// A relay with websocket, a device with a key, and the remote played by the test.
struct Stage {
  explicit Stage(const Settings& wanted = {}) {
    fs::permissions(directory.path(), fs::perms::all);
    Json settings = {{"websocket", wanted.websocket}};
    settings.merge_patch(wanted.listener);
    world.emplace(WorldOptions{.relayd = {{"listener", settings}, {"control_socket", directory / "control.sock"}},
                               .remote = wanted.remote,
                               .local = false});
    world->give_key("dev1", identity);
  }
  WebSocket open(const Identity& whose) {
    return WebSocket(TlsStream::connect(world->relay().endpoint(), TlsContext::client(&whose, authorities().root)));
  }
  WebSocket open() { return open(identity); }
  WebSocket upgraded(const Identity& whose) {
    auto device = open(whose);
    device.upgrade();
    return device;
  }
  WebSocket upgraded() { return upgraded(identity); }
  // CONNECT and CONNACK; the remote's end.
  TlsStream join(WebSocket& device, int level = mqtt::v311) {
    device.send(mqtt::connect({.client_id = "dev1", .level = level}));
    auto remote = world->captured->accept();
    remote.read_packet();
    const auto& accepted = level == mqtt::v5 ? connack_accepted_v5 : connack_accepted;
    remote.send(accepted);
    CHECK((device.read(accepted.size()) == accepted));
    return remote;
  }
  std::string why(size_t mark) { return world->relay().session_closed(mark).at("why").get<std::string>(); }
  size_t mark() { return world->relay().log().mark(); }
  Json totals() {
    const auto asked = world->relay().ask_relayd({"status"});
    REQUIRE(asked.status.code == 0);
    return Json::parse(asked.out).at("total");
  }
  Json refused() { return totals().at("websocket_refused"); }

  const Identity identity = device_identity("p256", 1);
  TempDir directory;
  std::optional<World> world;
};

std::string different_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<char>(i * i >> 7);
  return bytes;
}

}  // namespace

TEST_CASE("websocket: the remote gets the very bytes in the frames, however they are cut, and so does the device") {
  Stage stage;
  auto device = stage.upgraded();
  const auto connect = mqtt::connect({.client_id = "dev1"});
  for (const char byte : connect) device.send(std::string(1, byte));  // a frame a byte
  auto remote = stage.world->captured->accept();
  CHECK((remote.read_exactly(connect.size()) == connect));
  remote.send(connack_accepted);
  CHECK((device.read(connack_accepted.size()) == connack_accepted));

  // Two packets in one frame, then one packet in fragments, with a ping in their middle and an empty frame.
  const auto one = mqtt::publish({.topic = "any/one", .payload = different_bytes(300)});
  const auto two = mqtt::publish({.topic = "any/two", .payload = different_bytes(70'000)});
  device.send(one + one);
  device.send(Frame{.payload = two.substr(0, 10), .fin = false});
  device.send(Frame{.opcode = opcode::continuation, .payload = two.substr(10, 60'000), .fin = false});
  device.send(Frame{.opcode = opcode::ping, .payload = "are you there?"});
  device.send(Frame{.opcode = opcode::continuation, .payload = "", .fin = false});
  device.send(Frame{.opcode = opcode::continuation, .payload = two.substr(60'010)});
  CHECK((remote.read_exactly(2 * one.size() + two.size()) == one + one + two));
  const auto pong = device.read_frame();
  CHECK(pong.opcode == opcode::pong);
  CHECK(pong.payload == "are you there?");

  remote.send(two + one);
  CHECK((device.read(two.size() + one.size()) == two + one));
}

TEST_CASE("websocket: request, first frames and TLS records may come in any pieces") {
  Stage stage;
  auto device = stage.open();
  const auto connect = mqtt::connect({.client_id = "dev1"});
  const auto all = upgrade_request() + Frame{.payload = connect}.bytes();
  SECTION("all at once") { device.tls().send(all); }
  SECTION("a byte at a time") {
    for (const char byte : all) device.tls().send({&byte, 1});
  }
  auto remote = stage.world->captured->accept();
  CHECK((remote.read_exactly(connect.size()) == connect));
}

TEST_CASE("websocket: a message of 1 MiB passes both ways, in one frame as in many") {
  Stage stage;
  auto device = stage.upgraded();
  auto remote = stage.join(device);
  const auto message = mqtt::publish({.topic = "any/large", .payload = different_bytes(megabyte)});
  device.send(message);
  CHECK((remote.read_exactly(message.size()) == message));
  remote.send(message);
  CHECK((device.read(message.size()) == message));
}

TEST_CASE("websocket: while one side does not read, the worker keeps a bounded amount, and nothing is lost") {
  NEEDS_NO_SANITIZER();
  Stage stage;
  auto device = stage.upgraded();
  auto remote = stage.join(device);
  const auto worker = stage.world->relay().workers().at(0);
  const auto before = peak_memory(worker);
  const auto all = mqtt::publish({.topic = "any/flood", .payload = different_bytes(50 * megabyte)});
  const bool down = GENERATE(true, false);
  const auto frame = Frame{.payload = all}.bytes();
  const std::string& wire = down ? all : frame;
  TlsStream& sender = down ? remote : device.tls();
  const size_t sent = sender.send_until_blocked(wire, std::chrono::milliseconds(1500));
  CHECK(sent < wire.size() / 2);
  CHECK(peak_memory(worker) < before + 12 * megabyte);
  const size_t arrives = sent / 2;
  CHECK(((down ? device.read(arrives) : remote.read_exactly(arrives)) == all.substr(0, arrives)));
}

TEST_CASE("websocket: a client that pings and reads nothing makes nothing grow, and hears its newest ping") {
  NEEDS_NO_SANITIZER();
  Stage stage;
  auto device = stage.upgraded();
  auto remote = stage.join(device);
  const auto worker = stage.world->relay().workers().at(0);
  const auto before = peak_memory(worker);
  std::string pings;
  for (int i = 0; i < 200'000; i++) pings += Frame{.opcode = opcode::ping, .payload = std::string(125, 'p')}.bytes();
  pings += Frame{.opcode = opcode::ping, .payload = "newest"}.bytes();
  device.tls().send(pings);
  Frame pong;
  do pong = device.read_frame();
  while (pong.payload != "newest");
  CHECK(pong.opcode == opcode::pong);
  CHECK(peak_memory(worker) < before + 4 * megabyte);
}

TEST_CASE("websocket: a ping that comes while the device does not read is answered once it does") {
  Stage stage;
  auto device = stage.upgraded();
  auto remote = stage.join(device);
  const auto all = mqtt::publish({.topic = "any/flood", .payload = std::string(50 * megabyte, 'x')});
  REQUIRE(remote.send_until_blocked(all, std::chrono::milliseconds(500)) < all.size());
  device.send(Frame{.opcode = opcode::ping, .payload = "late"});
  Frame frame;
  do frame = device.read_frame();
  while (frame.opcode == opcode::binary);
  CHECK(frame.payload == "late");
}

TEST_CASE(
    "websocket: a frame that breaks a rule ends the session with the code of RFC 6455, after what came before it") {
  struct Case {
    Frame frame;
    int code;
    const char *counter, *why;
  };
  const auto [frame, code, counter, why] = GENERATE(values<Case>({
      {{.opcode = opcode::text, .payload = "hello"}, 1003, "text_frame", "a text frame"},
      {{.payload = "x", .masked = false}, 1002, "protocol_error", "a frame without a mask"},
      {{.payload = std::string(1025, 'x')}, 1009, "too_big", "a frame larger than websocket.max_frame_size"},
      {{.payload = "x", .reserved = 4}, 1002, "protocol_error", "a reserved bit"},
      {{.opcode = 3, .payload = "x"}, 1002, "protocol_error", "a reserved opcode"},
      {{.opcode = opcode::continuation, .payload = "x"}, 1002, "protocol_error", "a continuation of no message"},
      {{.opcode = opcode::ping, .payload = std::string(126, 'x')},
       1002,
       "protocol_error",
       "long or fragmented control"},
      {{.opcode = opcode::close, .payload = "\x03\xEE"}, 1002, "protocol_error", "a code that must not be sent"},
  }));
  CAPTURE(why);
  Stage stage({.websocket = {{"max_frame_size", "1KB"}}});
  auto device = stage.upgraded();
  auto remote = stage.join(device);
  const size_t mark = stage.mark();
  const auto message = mqtt::publish({.topic = "any/last", .payload = "before it"});
  device.tls().send(Frame{.payload = message}.bytes() + frame.bytes());
  CHECK(device.read_close() == code);
  CHECK(device.tls().read_to_end().leftover.empty());
  CHECK(remote.read_to_end().leftover == message);
  const auto told = stage.why(mark);
  CHECK(told.starts_with("sent no valid WebSocket frame: "));
  CHECK(told.find(why) != std::string::npos);
  CHECK(stage.refused().at(counter) == 1);
}

TEST_CASE("websocket: an upgrade that is not served gets its status, and the log says why") {
  struct Case {
    std::string request;
    const char *status, *counter, *why;
  };
  const auto [request, status, counter, why] = GENERATE(values<Case>({
      {upgrade_request("/ws"), "404 Not Found", "not_found", "it asked for \"/ws\", not for /mqtt"},
      {upgrade_request("/mqtt", ""), "400 Bad Request", "no_subprotocol", "it offered the sub-protocols \"\""},
      {upgrade_request("/mqtt", "Sec-WebSocket-Protocol: mqttv3.1, MQTT\r\n"), "400 Bad Request", "no_subprotocol",
       "\"mqttv3.1, MQTT\", and not mqtt"},
      {upgrade_request("/mqtt", "Sec-WebSocket-Protocol: mqtt\r\n", "8"),
       "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13", "bad_version", "\"8\", not 13"},
      {upgrade_request("/mqtt", "Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://evil.example\r\n"), "403 Forbidden",
       "bad_origin", "a page of \"https://evil.example\" sent it"},
      {"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", "bad_request", "Upgrade: websocket"},
      {mqtt::connect({.client_id = "dev1"}), "400 Bad Request", "bad_request", "MQTT without WebSocket"},
      {"GET /mqtt HTTP/1.1\r\nHost: x\r\nX: " + std::string(8192, 'x'), "400 Bad Request", "bad_request", "8 KiB"},
  }));
  CAPTURE(why);
  Stage stage({.websocket = {{"allowed_origins", {"https://app.example"}}}, .remote = RemoteKind::none});
  auto device = stage.open();
  const size_t mark = stage.mark();
  CHECK(device.request(request).starts_with("HTTP/1.1 "s + status + "\r\n"));
  CHECK(device.tls().read_to_end().leftover.empty());
  CHECK(stage.why(mark).find(why) != std::string::npos);
  CHECK(stage.refused().at(counter) == 1);
}

TEST_CASE("websocket: a request that does not end is refused after handshake_timeout") {
  Stage stage({.listener = {{"handshake_timeout", "1s"}}, .remote = RemoteKind::none});
  const size_t mark = stage.mark();
  auto device = stage.open();
  device.tls().send(upgrade_request().substr(0, GENERATE(0, 40)));
  CHECK(device.tls().read_to_end().leftover.empty());
  CHECK(stage.why(mark) == "sent no whole WebSocket upgrade within handshake_timeout");
  CHECK(stage.refused().at("timeout") == 1);
}

TEST_CASE("websocket: a device's DISCONNECT and close frame reach the remote as its end, and are answered") {
  Stage stage;
  auto device = stage.upgraded();
  auto remote = stage.join(device, mqtt::v5);
  const auto goodbye = mqtt::publish({.topic = "any/last"}, mqtt::v5) + mqtt::disconnect(mqtt::v5);
  SECTION("one after the other") {
    device.send(goodbye);
    CHECK((remote.read_exactly(goodbye.size()) == goodbye));
    device.send(Frame{.opcode = opcode::close,
                      .payload = "\x03\xE8"
                                 "bye"});
    CHECK(device.read_close() == 1000);
    CHECK(remote.read_to_end().leftover.empty());
  }
  SECTION("in one record") {
    device.tls().send(Frame{.payload = goodbye}.bytes() +
                      Frame{.opcode = opcode::close, .payload = "\x03\xE8"}.bytes());
    CHECK(device.read_close() == 1000);
    CHECK(remote.read_to_end().leftover == goodbye);
  }
  SECTION("a close frame without a code, and no DISCONNECT") {
    device.send(Frame{.opcode = opcode::close});
    CHECK(device.read_close() == 0);
    CHECK(remote.read_to_end().leftover.empty());
  }
  remote.close_notify_and_fin();
  CHECK(device.tls().read_to_end().leftover.empty());
}

TEST_CASE("websocket: a device that says everything and leaves before its broker answers is still delivered") {
  Stage stage;
  auto device = stage.upgraded();
  const auto all = mqtt::connect({.client_id = "dev1"}) + mqtt::publish({.topic = "any/one", .payload = "only"}) +
                   mqtt::disconnect();
  device.tls().send(Frame{.payload = all}.bytes() + Frame{.opcode = opcode::close, .payload = "\x03\xE8"}.bytes());
  CHECK(device.read_close() == 1000);
  auto remote = stage.world->captured->accept();
  CHECK((remote.read_exactly(all.size()) == all));
  remote.send(connack_accepted);
  // The close frame has ended the device's side, so the remote hears of it at once and not after the relay's 5 s.
  CHECK(remote.read_to_end(Deadline(std::chrono::seconds(4))).leftover.empty());
}

TEST_CASE("websocket: when the remote ends, the device gets DISCONNECT in a frame, then a close frame") {
  Stage stage;
  auto device = stage.upgraded();
  auto remote = stage.join(device, mqtt::v5);
  remote.close_notify_and_fin();
  std::string before;
  CHECK(device.read_close(&before) == 1001);
  REQUIRE(before.size() > 2);
  CHECK(before.substr(0, 1) == "\xE0");
  CHECK(device.tls().read_to_end().leftover.empty());
}

TEST_CASE("websocket: a refused device gets its CONNACK in a frame") {
  Stage stage({.listener = {{"no_key", "refuse"}}});
  auto device = stage.upgraded(device_identity("p256", 2));
  device.send(mqtt::connect({.client_id = "stranger"}));
  std::string before;
  CHECK(device.read_close(&before) == 1001);
  CHECK(before == "\x20\x02\0\x05"s);
}

TEST_CASE("websocket: a device without a key has the built-in broker") {
  Stage stage({.remote = RemoteKind::none});
  auto device = stage.upgraded(device_identity("p256", 2));
  device.send(mqtt::connect({.client_id = "local"}));
  CHECK((device.read(4) == connack_accepted));
  device.send(mqtt::pingreq());
  CHECK((device.read(2) == "\xD0\0"s));
  device.send(mqtt::disconnect());
  CHECK(device.read_close() == 1000);
}

TEST_CASE("websocket: pings count against bytes_rate, so a device can't keep the worker busy with them") {
  Stage stage({.listener = {{"bytes_rate", "20KB/s"}}});
  auto device = stage.upgraded();
  auto remote = stage.join(device);
  for (int i = 0; i < 400; i++) device.send(Frame{.opcode = opcode::ping, .payload = std::string(120, 'p')});
  device.send(Frame{.opcode = opcode::ping, .payload = "newest"});
  while (device.read_frame().payload != "newest") {
  }
  CHECK(stage.totals().at("throttled") > 0);
}

TEST_CASE("websocket: without the setting a client that asks for it is refused, and the log names the setting") {
  World world({.remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  auto client = TlsStream::connect(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
  const size_t mark = world.relay().log().mark();
  client.send(upgrade_request());
  client.read_to_end();
  const auto why = world.relay().session_closed(mark).at("why").get<std::string>();
  CHECK(why.ends_with("it spoke HTTP, and MQTT over WebSocket needs listener.websocket"));
}

TEST_CASE("websocket: mqtt_path is the path that is served, and a query after it is ignored") {
  Stage stage({.websocket = {{"mqtt_path", "/devices/mqtt"}}, .remote = RemoteKind::none});
  CHECK(stage.open().request(upgrade_request("/devices/mqtt?site=7")).starts_with("HTTP/1.1 101 "));
  CHECK(stage.open().request(upgrade_request("/mqtt")).starts_with("HTTP/1.1 404 "));
}

TEST_CASE("websocket: behind a PROXY header the device has its own address") {
  Stage stage({.listener = {{"proxy_protocol", true}, {"trusted_proxies", {"127.0.0.1"}}}, .remote = RemoteKind::none});
  auto stream = TlsStream::open({own_address(), ports::relay}, TlsContext::client(&stage.identity, authorities().root),
                                patience());
  const std::string header = "PROXY TCP4 192.0.2.7 192.0.2.1 12345 8883\r\n";
  REQUIRE(::write(stream.fd(), header.data(), header.size()) == static_cast<ssize_t>(header.size()));
  stream.handshake();
  WebSocket device(std::move(stream));
  const size_t mark = stage.mark();
  device.upgrade().send(Frame{.opcode = opcode::text, .payload = "x"});
  CHECK(stage.world->relay().session_closed(mark).at("device") == "192.0.2.7:12345");
}

TEST_CASE("websocket: on drain a device is told in its frames that the relay goes away") {
  Stage stage;
  auto device = stage.upgraded();
  auto remote = stage.join(device, mqtt::v5);
  stage.world->relay().relayd().signal(SIGTERM);
  std::string before;
  CHECK(device.read_close(&before) == 1001);
  CHECK(before.substr(0, 3).starts_with("\xE0"));
  stage.world->relay().relayd().wait();
  stage.world->relay().start_relayd();
}
