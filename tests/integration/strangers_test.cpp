// Clients at the TLS port that are not devices: probes do not count as failures, and other protocols are named.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A world with a control socket, so that the test can read relayd's counters.
struct Door {
  Door() {
    fs::permissions(directory.path(), fs::perms::all);
    world.emplace(WorldOptions{.relayd = {{"control_socket", directory / "control.sock"}, {"log_level", "debug"}},
                               .remote = RemoteKind::none,
                               .local = false});
  }
  Json totals() {
    const auto asked = world->relay().ask_relayd({"status"});
    REQUIRE(asked.status.code == 0);
    return Json::parse(asked.out).at("total");
  }
  Json wait(const JsonPredicate& until) {
    for (const Deadline deadline = patience();;) {
      Json now = totals();
      if (until(now)) return now;
      if (deadline.over()) throw Failure("the counters are not there yet: " + now.dump());
    }
  }
  // The log line about how the next connection ended.
  Json ending(size_t mark) { return world->relay().log().wait_json(is_end, "how the connection ended", mark); }
  TempDir directory;
  std::optional<World> world;
};

class Tcp {
 public:
  explicit Tcp(const Endpoint& to) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw Failure("no connection");
  }
  ~Tcp() { ::close(fd_); }
  Tcp(const Tcp&) = delete;
  Tcp& operator=(const Tcp&) = delete;
  void send(std::string_view bytes) { REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0); }
  void reset_at_close() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("a TCP probe is counted as a probe, not as a failed handshake, and leaves no log line") {
  Door door;
  auto& log = door.world->relay().log();
  const auto mark = log.mark();
  for (int i = 0; i < 20; i++) {
    Tcp probe(door.world->relay().endpoint());
    if (i % 2) probe.reset_at_close();  // as HAProxy's probes do
  }
  const Json totals = door.wait([](const Json& now) { return now.at("tcp_probes") == 20; });
  CHECK(totals.at("handshakes_failed") == 0);
  for (const Json& line : log.json({}, mark)) {
    INFO(line.dump());
    CHECK(line.at("level") == "debug");
  }
}

TEST_CASE("plain MQTT, HTTP, SSH and a PROXY header at the TLS port are each counted and logged with the remedy") {
  struct Stranger {
    const char* protocol;
    std::string_view says;
    const char *named, *remedy;
  };
  const auto stranger = GENERATE(
      Stranger{"mqtt", {"\x10\x10\0\4MQTT\4\2\0\x3c\0\4dev1", 18}, "plain MQTT", "switch TLS on in the device"},
      Stranger{"http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP", "health checks"},
      Stranger{"ssh", "SSH-2.0-OpenSSH_9.2p1\r\n", "SSH", "port"},
      Stranger{"proxy", "PROXY TCP4 192.0.2.1 192.0.2.2 1 8883\r\n", "PROXY protocol header, version 1", "send-proxy"},
      Stranger{"proxy", {"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\1\1\1\2\2\2\2\0\1\0\2", 28}, "header, version 2", "AWS"},
      Stranger{"other", "\x80\x2e\x01\x03\x01", "the bytes 802e010301", "port"});
  CAPTURE(stranger.protocol);
  Door door;
  const auto mark = door.world->relay().log().mark();
  Tcp client(door.world->relay().endpoint());
  client.send(stranger.says);
  const Json line = door.ending(mark);
  INFO(line.dump());
  CHECK(line.at("level") == "warning");
  const auto why = line.at("why").get<std::string>();
  CHECK(why.find(stranger.named) != why.npos);
  CHECK(why.find(stranger.remedy) != why.npos);
  const Json totals = door.totals();
  CHECK(totals.at("not_tls").at(stranger.protocol) == 1);
  CHECK(totals.at("handshakes_failed") == 1);
  CHECK(totals.at("tcp_probes") == 0);
}

TEST_CASE("a crowd of plain MQTT devices is counted in full but fills only a few log lines a second") {
  Door door;
  auto& log = door.world->relay().log();
  const auto mark = log.mark();
  for (int i = 0; i < 100; i++) Tcp(door.world->relay().endpoint()).send({"\x10\x10\0\4MQTT\4\2\0\x3c\0\4dev1", 18});
  door.wait([](const Json& now) { return now.at("not_tls").at("mqtt") == 100; });
  CHECK(log.count_text("plain MQTT", mark) < 40);
}

TEST_CASE("a device that does not trust the listener is logged with the remedy") {
  Door door;
  const auto mark = door.world->relay().log().mark();
  const auto identity = device_identity("p256", 1);
  auto stream =
      TlsStream::open(door.world->relay().endpoint(), TlsContext::client(&identity, strange_authorities().root));
  CHECK_THROWS_AS(stream.handshake(), Failure);
  const auto why = door.ending(mark).at("why").get<std::string>();
  INFO(why);
  CHECK(why.find("unknown_ca (48)") != why.npos);
  CHECK(why.find("the device's CA file must contain the root") != why.npos);
}

TEST_CASE("a remote broker that does not trust the device's issuer is logged with client id and remedy") {
  World world({.remote_trusts = strange_authorities().root});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  CHECK(world.refusal(identity, "thermo", mqtt::v5) == 0x87);
  const Json line = world.relay().log().wait_json(is_end, "how the session ended");
  INFO(line.dump());
  CHECK(line.at("client_id") == "thermo");
  CHECK(line.at("why").get<std::string>().find("the broker's CA file must contain the root") != std::string::npos);
}

TEST_CASE("a remote_port that is plain MQTT, a web server or ssh is logged as such") {
  struct Port {
    std::string_view says;
    const char* named;
  };
  const auto port = GENERATE(Port{{"\x20\x02\0\5", 4}, "plain MQTT"}, Port{"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"},
                             Port{"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"});
  // A CONNACK is shorter than a TLS record header, so relayd knows only at the deadline that nothing follows.
  World world({.relayd = {{"remote", {{"connect_timeout", "500ms"}}}}, .remote = RemoteKind::captured, .local = false});
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "thermo"}));
  auto remote = world.captured->accept_silently();
  REQUIRE(::send(remote.fd(), port.says.data(), port.says.size(), MSG_NOSIGNAL) > 0);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 3);
  const Json line = world.relay().log().wait_json(is_end, "how the session ended");
  INFO(line.dump());
  const auto why = line.at("why").get<std::string>();
  CHECK(why.find(std::string("answered in ") + port.named) != why.npos);
  CHECK(why.find("remote_port") != why.npos);
}

TEST_CASE("a device with no common TLS version, and one without a certificate, are logged in plain words") {
  Door door;
  auto& log = door.world->relay().log();
  const auto identity = device_identity("p256", 1);
  SECTION("TLS 1.1") {
    auto old = TlsContext::client(&identity, authorities().root);
    old.allow_tls_1_1_only();
    const auto mark = log.mark();
    auto stream = TlsStream::open(door.world->relay().endpoint(), old);
    stream.refused_handshake();
    const auto why = door.ending(mark).at("why").get<std::string>();
    INFO(why);
    CHECK(why.find("no TLS version of listener.versions") != why.npos);
  }
  SECTION("no certificate") {
    const auto mark = log.mark();
    auto stream = TlsStream::open(door.world->relay().endpoint(),
                                  TlsContext::client(nullptr, authorities().root, TlsVersion::v1_2));
    stream.refused_handshake();
    const auto why = door.ending(mark).at("why").get<std::string>();
    INFO(why);
    CHECK(why.find("showed no certificate") != why.npos);
    CHECK(why.find("install a certificate and key in it") != why.npos);
  }
}

TEST_CASE("a device that leaves during the handshake is logged as such, not as a TLS failure") {
  Door door;
  const auto mark = door.world->relay().log().mark();
  {
    Tcp client(door.world->relay().endpoint());
    client.send({"\x16\x03\x01\x02\x00\x01", 6});
  }
  const Json line = door.ending(mark);
  INFO(line.dump());
  CHECK(line.at("level") == "info");
  CHECK(line.at("why").get<std::string>().find("left during the TLS handshake") != std::string::npos);
  CHECK(door.totals().at("handshakes_failed") == 1);
}
