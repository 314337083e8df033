// Tests the harness against mosquitto, without the relay: the checks that other tests rely on must be able to fail.

#include <signal.h>

#include "tests/integration/harness/need.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

struct Remote {
  TempDir directory;
  Mosquitto broker;
  explicit Remote(MosquittoOptions options = {})
      : broker(
            [&] {
              options.listen = {own_address(), ports::remote};
              options.server = server_identity("remote", "p256", directory.path());
              return options;
            }(),
            directory / "remote") {}
  Device as(const Identity& identity) { return Device(identity, broker.endpoint()); }
};

}  // namespace

TEST_CASE("harness: the remote's user is the certificate's common name") {
  Remote remote;
  for (const auto& type : key_types) {
    const auto identity = device_identity(type, 1);
    auto device = remote.as(identity);
    device.join("client-" + type);
    CHECK(remote.broker.user_of("client-" + type) == type + "-1");
  }
}

TEST_CASE("harness: the remote's ACL stops one device from writing as another") {
  Remote remote;
  auto observer = remote.as(device_identity("p256", 9));
  observer.join("observer");
  REQUIRE(observer.subscribe("only/#") == 0);
  auto forger = remote.as(device_identity("p256", 1));
  forger.join("forger");
  forger.publish("only/p256-2/t", "forged");  // mosquitto 2.0.11 closes the connection then
  remote.broker.log().wait_text("Denied PUBLISH from forger");
  auto device = remote.as(device_identity("p256", 1));
  device.join("device");
  device.publish("only/p256-1/t", "true", 1);
  CHECK(observer.next_message().payload == "true");
  observer.ping();
  CHECK(observer.waiting_messages() == 0);
}

TEST_CASE("harness: the remote refuses a certificate that its authority did not sign") {
  Remote remote;
  const auto stranger = strange_device("p256");
  for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
    auto stream = TlsStream::open(remote.broker.endpoint(), TlsContext::client(&stranger, authorities().root, version));
    const auto ending = stream.refused_handshake();
    CHECK(ending.how == Ending::alert);
    CHECK(ending.alert_code == 48);  // unknown_ca
  }
}

TEST_CASE("harness: a remote can be restricted to one TLS version") {
  Remote remote({.version = TlsVersion::v1_2});
  const auto identity = device_identity("p256", 1);
  CHECK(Device(identity, remote.broker.endpoint()).tls().version() == "TLSv1.2");
  auto stream =
      TlsStream::open(remote.broker.endpoint(), TlsContext::client(&identity, authorities().root, TlsVersion::v1_3));
  CHECK(stream.refused_handshake().how == Ending::alert);
}

TEST_CASE("harness: messages of all three QoS levels and versions arrive") {
  Remote remote;
  const int level = GENERATE(mqtt::v31, mqtt::v311, mqtt::v5);
  auto device = remote.as(device_identity("p256", 1));
  device.join("device", level);
  for (int qos = 0; qos <= 2; ++qos) {
    REQUIRE(device.subscribe("any/" + std::to_string(qos), qos) == qos);
    device.publish("any/" + std::to_string(qos), std::string(200'000, 'x'), qos);
    const auto message = device.next_message();
    CHECK(message.qos == qos);
    CHECK(message.payload.size() == 200'000);
  }
}

TEST_CASE("harness: the kinds of connection end can be told apart") {
  TempDir directory;
  const auto server = server_identity("captured", "p256", directory.path());
  CapturingRemote remote({own_address(), ports::remote}, server, authorities().root);
  const auto identity = device_identity("p256", 1);
  const auto ending_after = [&](auto&& end) {
    auto client = TlsStream::open(remote.endpoint(), TlsContext::client(&identity, authorities().root));
    std::thread handshake([&] { client.handshake(); });
    auto served = remote.accept();
    handshake.join();
    CHECK(served.peer_chain().size() == 2);
    client.send("last words");
    CHECK(served.read_exactly(10) == "last words");
    end(client);
    return served.read_to_end().how;
  };
  CHECK(ending_after([](TlsStream& s) { s.close_notify_and_fin(); }) == Ending::close_notify);
  CHECK(ending_after([](TlsStream& s) { s.fin(); }) == Ending::fin);
  CHECK(ending_after([](TlsStream& s) { s.vanish(); }) == Ending::reset);
}

TEST_CASE("harness: a process dies with its owner object, and its exit status is reported") {
  Process sleeper({.argv = {"sleep", "1000"}});
  CHECK(sleeper.running());
  CHECK(sleeper.kill().signal == SIGKILL);
  CHECK(run({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}}).status.code == 3);
  pid_t pid = 0;
  {
    Process other({.argv = {"sleep", "1000"}});
    pid = other.pid();
  }
  CHECK(kill(pid, 0) != 0);
}

TEST_CASE("harness: a wait fails if its event never comes") {
  Process quiet({.argv = {"cat", "/dev/null"}});
  CHECK_THROWS_AS(quiet.out().wait_text("something"), Failure);
  TempDir directory;
  NotifySocket notify(directory / "notify");
  CHECK_THROWS_AS(notify.wait_ready(quiet), Failure);
}

TEST_CASE("harness: a key in a process's memory is found there") {
  NEEDS_NO_SANITIZER();
  const auto type = GENERATE(std::string("rsa2048"), "p256", "p384", "p521", "ed25519");
  const auto needles = secrets_of(device_identity(type, 1).key);
  CHECK(needles.size() >= 3);
  CHECK(search_memory(getpid(), needles).size() >= needles.size() - 1);
  TempDir directory;
  write_file(directory / "file", "up\n");
  Process stranger({.argv = {"tail", "-f", directory / "file"}});
  stranger.out().wait_text("up");
  CHECK(search_memory(stranger.pid(), needles).empty());
}
