// Several relays behind HAProxy, with the configuration that is shipped. They share nothing but equal key directories.

#include <sys/socket.h>

#include <csignal>

#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/haproxy.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr uint16_t kFrontend = 18443, kRelays[] = {8883, 8884}, kMonitors[] = {9464, 9465};

void replace(std::string& text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  if (at == std::string::npos) throw Failure("haproxy.cfg.example has no " + what);
  text.replace(at, what.size(), with);
}

// The shipped file, for two relays on this machine. What is replaced: addresses, times, so that the test is quick, and
// a number of connections for which a test may have no descriptors.
std::string shipped_configuration() {
  std::string text = read_file(fs::path(MQTT_RELAY_SOURCE_DIR) / "packaging/config/haproxy.cfg.example");
  replace(text, "maxconn 100000", "maxconn 100");
  replace(text, "bind :8883", "bind " + Endpoint{own_address(), kFrontend}.text());
  replace(text, " port 9464 inter 2s fastinter 500ms fall 2 rise 2 slowstart 30s", " inter 100ms fall 1 rise 1");
  for (size_t i = 0; i < 2; i++)
    replace(text, "192.0.2.1" + std::to_string(i + 1) + ":8883",
            Endpoint{own_address(), kRelays[i]}.text() + " port " + std::to_string(kMonitors[i]));
  return text;
}

struct Fleet {
  Fleet() {
    remote =
        std::make_unique<Mosquitto>(MosquittoOptions{.listen = {own_address(), ports::remote},
                                                     .server = server_identity("remote", "p256", directory.path())},
                                    directory / "remote");
    for (size_t i = 0; i < 2; i++) {
      relays.push_back(std::make_unique<Relay>(
          RelayOptions{.listen = {own_address(), kRelays[i]},
                       .remote = remote->endpoint(),
                       .listener = server_identity("listener", "p256", directory.path()),
                       .relayd = {{"listener", {{"proxy_protocol", true}, {"trusted_proxies", {"127.0.0.0/8"}}}},
                                  {"metrics", {{"bind", Endpoint{own_address(), kMonitors[i]}.text()}}}}},
          directory / ("relay" + std::to_string(i))));
      relays.back()->give_key("dev1", identity.key);  // equal key directories
      relays.back()->start();
    }
    haproxy = std::make_unique<Haproxy>(shipped_configuration(), directory / "haproxy");
  }
  std::string readyz(size_t relay) const {
    RawSocket socket(Endpoint{own_address(), kMonitors[relay]});
    socket.send("GET /readyz HTTP/1.1\r\nHost: relay\r\n\r\n");
    return socket.receive_to_end();
  }
  Device device() const { return Device(identity, {own_address(), kFrontend}); }
  // Which relay has the newest session of dev1.
  size_t relay_of_session(const std::array<size_t, 2>& marks) {
    for (const Deadline deadline = patience(); !deadline.over();)
      for (size_t i = 0; i < 2; i++)
        if (relays[i]->log().count_text("\"session up\"", marks[i]) > 0) return i;
    throw Failure("no relay has a session");
  }
  std::array<size_t, 2> marks() const { return {relays[0]->log().mark(), relays[1]->log().mark()}; }
  // Connects until it has a session, as a device does.
  size_t join_again() {
    const auto before = marks();
    for (const Deadline deadline = patience();;) {
      try {
        device().join("dev1");
        return relay_of_session(before);
      } catch (const Failure&) {
        if (deadline.over()) throw;
      }
    }
  }

  TempDir directory;
  Identity identity = device_identity("p256", 1);
  std::unique_ptr<Mosquitto> remote;
  std::vector<std::unique_ptr<Relay>> relays;
  std::unique_ptr<Haproxy> haproxy;
};

}  // namespace

TEST_CASE("scale out: behind the shipped HAProxy configuration, a device moves when its relay stops or is killed") {
  const int how = GENERATE(SIGTERM, SIGKILL);
  CAPTURE(how);
  Fleet fleet;
  CHECK(fleet.readyz(0).starts_with("HTTP/1.1 200 "));
  CHECK(fleet.readyz(1).starts_with("HTTP/1.1 200 "));
  const auto before = fleet.marks();
  auto device = fleet.device();
  device.join("dev1");
  device.subscribe("any/#", 1);
  const size_t first = fleet.relay_of_session(before);
  const auto up = fleet.relays[first]->session_up();
  CHECK(up.at("device").get<std::string>().starts_with("127.0.0.1:"));
  fleet.relays[first]->relayd().signal(how);
  device.tls().read_to_end();
  CHECK(fleet.join_again() == 1 - first);
}

TEST_CASE("scale out: a device that connects at another relay ends its session at the first") {
  Fleet fleet;
  // Straight to each relay, as HAProxy may choose any.
  const auto at = [&](size_t relay) {
    const auto context = TlsContext::client(&fleet.identity, authorities().root);
    auto stream = TlsStream::open({own_address(), kRelays[relay]}, context);
    const std::string header = "PROXY TCP4 192.0.2.7 192.0.2.1 12345 8883\r\n";
    REQUIRE(::send(stream.fd(), header.data(), header.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(header.size()));
    stream.handshake();
    return Device(std::move(stream));
  };
  auto first = at(0);
  first.join("dev1", mqtt::v5);
  auto second = at(1);
  second.join("dev1", mqtt::v5);
  // The remote broker takes the session over, and ends the older connection: with DISCONNECT 0x8E (EMQX,
  // mosquitto 2.1), or without a word, of which relayd makes 0x80.
  const auto told = first.tls().read_to_end().leftover;
  REQUIRE(told.size() >= 3);
  CHECK(told[0] == '\xe0');
  CHECK((told[2] == '\x8e' || told[2] == '\x80'));
  second.publish("any/thing", "here", 1);
}

TEST_CASE("readyz: a relay whose keyd is away or that drains takes no new devices") {
  Fleet fleet;
  fleet.relays[0]->keyd().signal(SIGTERM);
  for (const Deadline deadline = patience(); fleet.readyz(0).find("keyd is away") == std::string::npos;)
    if (deadline.over()) throw Failure("/readyz does not notice that keyd is away: " + fleet.readyz(0));
  CHECK(fleet.readyz(0).starts_with("HTTP/1.1 503 "));
  CHECK(fleet.readyz(1).starts_with("HTTP/1.1 200 "));
}
