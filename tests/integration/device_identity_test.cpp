// Who a device is: whether its client id must be its certificate's name, and what the local broker learns of it.

#include <unistd.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/haproxy.h"
#include "tests/integration/harness/world.h"

using namespace harness;
using namespace std::string_literals;

namespace {

constexpr uint16_t kBehind = 18443, kCapture = 18444;

std::string read_exactly(int fd, size_t size) {
  std::string bytes(size, '\0');
  for (size_t at = 0; at < size;) {
    const ssize_t got = ::read(fd, bytes.data() + at, size - at);
    if (got <= 0) throw Failure("the connection ended after " + std::to_string(at) + " bytes");
    at += static_cast<size_t>(got);
  }
  return bytes;
}

// A PROXY header, version 2, and the packet after it.
struct Introduction {
  std::string header, connect;
  explicit Introduction(int fd) : header(read_exactly(fd, 16)) {
    const size_t size = static_cast<size_t>(static_cast<uint8_t>(header[14]) << 8 | static_cast<uint8_t>(header[15]));
    header += read_exactly(fd, size);
    connect = read_exactly(fd, 2);
    connect += read_exactly(fd, static_cast<uint8_t>(connect[1]));
  }
  // The header without the ports and addresses, which differ from connection to connection.
  std::string facts() const { return header.substr(0, 16) + header.substr(28); }
  std::string source() const { return header.substr(16, 4); }
};

// A broker that only listens.
class Capture {
 public:
  Capture() : remote_({own_address(), kCapture}, device_identity("p256", 1), authorities().root) {}
  Introduction next() {
    const int fd = remote_.accept_socket();
    Introduction introduction(fd);
    ::close(fd);
    return introduction;
  }

 private:
  CapturingRemote remote_;
};

Json local_at(uint16_t port, const Json& more = Json::object()) {
  Json local = {{"host", own_address()}, {"port", port}};
  local.merge_patch(more);
  return local;
}

}  // namespace

TEST_CASE("client id: with client_id_from cn it must be the certificate's common name") {
  World world({.relayd = {{"listener", {{"client_id_from", "cn"}}}}});
  const auto identity = device_named("controller");
  world.give_key("controller", identity);
  world.device(identity).join("controller");

  const auto other = device_identity("p256", 1);
  const size_t mark = world.relay().log().mark(), audited = world.relay().audit().mark();
  CHECK(world.refusal(other, "controller", mqtt::v5) == 0x85);
  world.relay().log().wait_text("client id 'controller', common name 'p256-1' (listener.client_id_from)", mark);
  CHECK(world.refusal(other, "controller", mqtt::v311) == 2);
  CHECK(world.refusal(other, "", mqtt::v311) == 2);
  // Nothing was asked about the key that the device is not entitled to.
  CHECK(world.relay()
            .audit()
            .json([](const Json& line) { return line.value("event", "") == "lookup"; }, audited)
            .empty());
}

TEST_CASE("client id: with client_id_from san it must be one of the certificate's DNS names or URIs") {
  TempDir directory;
  const auto root = field::root("Devices");
  pki::Template shape;
  shape.subject = pki::cn("dev1");
  shape.extensions = std::string(pki::kDevice) + "subjectAltName=DNS:dev1.example,URI:urn:dev:1\n";
  const auto identity = field::save(directory.path(), "device", {field::device(root, shape)});
  World world({.relayd = {{"listener",
                           {{"client_id_from", "san"},
                            {"cacertfile", field::save_certificates(directory / "devices.pem", {root})}}}},
               .remote = RemoteKind::none,
               .local = false});
  for (const std::string id : {"dev1.example", "urn:dev:1"}) {
    Device device(TlsStream::connect(world.relay().endpoint(), field::client(identity, TlsVersion::any)));
    device.join(id);
  }
  const size_t mark = world.relay().log().mark();
  Device device(TlsStream::connect(world.relay().endpoint(), field::client(identity, TlsVersion::any)));
  CHECK(mqtt::connack_code(device.connect({.client_id = "dev1", .level = mqtt::v5})) == 0x85);
  world.relay().log().wait_text("client id 'dev1', DNS or URI names 'dev1.example', 'urn:dev:1'", mark);
}

TEST_CASE("no_key: with refuse, a device without a key is refused, and one with a key is relayed") {
  World world({.relayd = {{"listener", {{"no_key", "refuse"}}}}});
  world.join("dev1");
  const auto identity = device_identity("p256", 1);
  CHECK(world.refusal(identity, "keyless", mqtt::v5) == 0x87);
  CHECK(world.refusal(identity, "keyless", mqtt::v311) == 5);
  CHECK(world.refusal(identity, "not/a/file", mqtt::v311) == 5);
  const size_t mark = world.relay().log().mark();
  CHECK(world.refusal(identity, "DEV1", mqtt::v311) == 5);  // there is dev1.pem
  world.relay().log().wait_text("the device is refused: the only key for its client id is spelled differently", mark);
  CHECK(world.local->log().count_text("New client connected") == 0);
}

TEST_CASE("local proxy_protocol: the local broker learns what HAProxy's send-proxy-v2-ssl-cn would tell it") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  Capture capture;
  World world({.relayd = {{"local", local_at(kCapture, {{"proxy_protocol", true}})}}, .local = false});
  const auto identity = device_named("controller");
  const std::string connect = mqtt::connect({.client_id = "keyless"});
  const auto say = [&](const Endpoint& to) {
    auto stream = TlsStream::connect(to, TlsContext::client(&identity, authorities().root, version));
    stream.send(connect);
    return capture.next();
  };
  const auto ours = say(world.relay().endpoint());
  CHECK(ours.connect == connect);
  CHECK(ours.source() == "\x7F\0\0\x01"s);

  const auto server = server_identity("haproxy", "p256", world.directory.path());
  write_file(world.directory / "haproxy.both", read_file(server.certificate) + read_file(server.key));
  Haproxy haproxy("listen tls\n bind " + Endpoint{own_address(), kBehind}.text() + " ssl crt " +
                      (world.directory / "haproxy.both").string() + " ca-file " + authorities().root.string() +
                      " verify required\n server capture " + Endpoint{own_address(), kCapture}.text() +
                      " send-proxy-v2-ssl-cn\n",
                  world.directory / "haproxy");
  const auto theirs = say({own_address(), kBehind});
  CHECK(theirs.facts() == ours.facts());
}

TEST_CASE("local proxy_protocol: a real receiver takes the header, and sees the device's address") {
  World world({.relayd = {{"local", local_at(kBehind, {{"proxy_protocol", true}})}}});
  Haproxy haproxy("listen mqtt\n bind " + Endpoint{own_address(), kBehind}.text() + " accept-proxy\n server local " +
                      world.local->endpoint().text() + "\n",
                  world.directory / "haproxy");
  auto device = world.device(device_identity("p256", 1));
  device.join("keyless");
  device.disconnect();
  haproxy.log().wait_text("127.0.0.1:");  // the device's; relayd's connector connects from there, too, so:
  const auto up = world.relay().log().wait_json([](const Json& line) { return line.value("msg", "") == "session up"; },
                                                "the session");
  haproxy.log().wait_text(up.at("device").get<std::string>());
}

TEST_CASE("remote proxy_protocol: the remote broker's load balancer sees the device's address") {
  World world({.relayd = {{"remote", {{"proxy_protocol", true}}}, {"remote_port", kBehind}}});
  Haproxy haproxy("listen mqtt\n bind " + Endpoint{own_address(), kBehind}.text() + " accept-proxy\n server remote " +
                      world.remote->endpoint().text() + "\n",
                  world.directory / "haproxy");
  auto device = world.join("dev1");
  device.publish("any/thing", "relayed", 1);
  device.disconnect();
  const auto up = world.relay().log().wait_json([](const Json& line) { return line.value("msg", "") == "session up"; },
                                                "the session");
  haproxy.log().wait_text(up.at("device").get<std::string>());
}

TEST_CASE("local tls: the local broker is reached over TLS, and its certificate is verified") {
  TempDir directory;
  const auto server = server_identity("local", "p256", directory.path());
  const bool proxied = GENERATE(false, true);
  // A mosquitto with TLS that asks for no client certificate.
  Mosquitto broker({.listen = {own_address(), ports::local},
                    .more = "certfile " + server.certificate.string() + "\nkeyfile " + server.key.string()},
                   directory / "local");
  const uint16_t port = proxied ? kBehind : ports::local;
  const auto local = [&](const fs::path& trusted) {
    write_file(directory / "local-ca.pem", read_file(trusted));  // where relayd's user can read it
    return local_at(port, {{"proxy_protocol", proxied}, {"tls", {{"cacertfile", directory / "local-ca.pem"}}}});
  };
  Haproxy haproxy("listen mqtt\n bind " + Endpoint{own_address(), kBehind}.text() + " accept-proxy\n server local " +
                      broker.endpoint().text() + "\n",
                  directory / "haproxy");
  {
    World world({.relayd = {{"local", local(authorities().root)}}, .remote = RemoteKind::none, .local = false});
    auto device = world.device(device_identity("p256", 1));
    device.join("keyless");
    device.subscribe("news/#", 1);
    device.publish("news/1", "hello", 1);
    CHECK(device.next_message().payload == "hello");
    const auto up = world.relay().session_up();
    CHECK(up.at("to") == "local");
    CHECK(up.at("tls") == "TLSv1.3");
  }
  World world({.relayd = {{"local", local(strange_authorities().root)}}, .remote = RemoteKind::none, .local = false});
  const size_t mark = world.relay().log().mark();
  CHECK(world.refusal(device_identity("p256", 1), "keyless", mqtt::v5) == 0x88);
  const auto why = world.relay().session_closed(mark).at("why").get<std::string>();
  CHECK(why.find("the local broker can't be reached") != std::string::npos);
  CHECK(why.find("sent a certificate chain that was refused") != std::string::npos);
}

TEST_CASE("local username: a CONNECT without a user name gets one, and one that has a user name is not changed") {
  World world({.relayd = {{"local", {{"username", "{cn}/{clientid}"}}}}});
  const int level = GENERATE(mqtt::v31, mqtt::v311, mqtt::v5);
  const auto identity = device_named("controller");
  const mqtt::Will will{.topic = "will/x", .payload = "gone"};
  auto nameless = world.device(identity);
  CHECK(mqtt::connack_code(nameless.connect({.client_id = "keyless", .level = level, .will = will})) == 0);
  CHECK(world.local->user_of("keyless") == "controller/keyless");
  auto named = world.device(identity);
  const size_t mark = world.local->log().mark();
  CHECK(mqtt::connack_code(named.connect({.client_id = "other", .level = level, .username = "alice"})) == 0);
  CHECK(world.local->user_of("other", mark) == "alice");
  nameless.publish("news/1", "hello", 1);
}

TEST_CASE("the built-in broker: a new connection with the same client id ends the older one, on any worker") {
  const int level = GENERATE(mqtt::v311, mqtt::v5);
  World world({.relayd = {{"workers", 3}}, .remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  std::optional<Device> older;
  for (int i = 0; i < 8; i++) {  // the kernel chooses the workers
    auto newer = world.device(identity);
    newer.join("keyless", level);
    if (older) {
      const auto ending = older->tls().read_to_end();
      const std::string told = level == mqtt::v5 ? ending.leftover.substr(0, 3) : ending.leftover;
      CHECK((level == mqtt::v5 ? told[0] == '\xE0' && told[2] == '\x8E' : told.empty()));
    }
    newer.ping();
    older.emplace(std::move(newer));
  }
  auto other = world.device(identity);
  other.join("another", level);
  older->ping();
}
