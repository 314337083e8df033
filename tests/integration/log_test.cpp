// What the log says of a device: one line when its session is up, one when it has ended, and the fix of a refusal.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/process.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// What `openssl x509` says of a certificate.
std::string openssl(const Identity& identity, const std::vector<std::string>& what) {
  std::vector<std::string> command{"openssl", "x509", "-in", identity.certificate, "-noout"};
  command.insert(command.end(), what.begin(), what.end());
  std::string text = run({.argv = command}).out;
  text.erase(text.find_last_not_of('\n') + 1);
  return text.substr(text.find('=') + 1);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(tolower(c)); });
  std::erase(text, ':');
  return text;
}

}  // namespace

TEST_CASE("log: the line of a session says who the device is and what TLS has agreed on, both ways") {
  const std::string type = GENERATE("p256", "rsa2048", "ed25519");
  World world;
  const Identity identity = device_identity(type, 1);
  world.give_key("dev7", identity);
  auto device = world.device(identity);
  device.join("dev7");
  const Json up = world.relay().session_up();
  CHECK(up.at("event") == "session_up");
  CHECK(up.at("client_id") == "dev7");
  CHECK(up.at("subject") == openssl(identity, {"-subject", "-nameopt", "RFC2253"}));
  CHECK(up.at("serial") == lower(openssl(identity, {"-serial"})));
  CHECK(up.at("fingerprint") == lower(openssl(identity, {"-fingerprint", "-sha256"})));
  for (const char* side : {"device_", ""}) {
    CAPTURE(side);
    CHECK(up.at(std::string(side) + "tls") == "TLSv1.3");
    CHECK(up.at(std::string(side) + "suite").get<std::string>().starts_with("TLS_"));
    CHECK_FALSE(up.at(std::string(side) + "group").get<std::string>().empty());
  }
  CHECK(up.at("to") == "remote");
  CHECK(up.at("up_after_ms") >= 0);
}

TEST_CASE("log: TLS 1.2 has a suite and a group as well, by the names of the settings") {
  World world;
  const Identity identity = device_identity("p256", 1);
  world.give_key("dev7", identity);
  auto device = world.device(identity, TlsVersion::v1_2);
  device.join("dev7");
  const Json up = world.relay().session_up();
  CHECK(up.at("device_tls") == "TLSv1.2");
  CHECK(up.at("device_suite") == "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
  const std::string group = up.at("device_group");
  CHECK((group == "X25519" || group == "secp256r1"));
}

TEST_CASE("log: the end of a session counts what was relayed, and keyd's audit has the session's number") {
  World world;
  auto device = world.join("dev7");
  const Json up = world.relay().session_up();
  device.publish("any/a", "12345");
  device.disconnect();
  const Json end = world.relay().session_closed();
  CHECK(end.at("event") == "session_closed");
  CHECK(end.at("session") == up.at("session"));
  CHECK(end.at("why") == "the device disconnected");
  CHECK(end.at("to") == "remote");
  CHECK(end.at("packets_up") >= 3);  // CONNECT, PUBLISH, DISCONNECT
  CHECK(end.at("packets_down") >= 1);
  CHECK(end.at("bytes_up") > 20);
  CHECK(end.at("duration_ms") >= up.at("up_after_ms"));
  const auto of_session =
      world.relay().audit().json([&](const Json& j) { return j.value("session", "") == up.at("session"); });
  CHECK(of_session.size() == 3);  // the listener's signature, the lookup, the device's signature
  CHECK(up.at("session").get<std::string>().size() == 16);
}

TEST_CASE("log: two workers, and a restarted one, never give two sessions the same number") {
  World world({.relayd = {{"workers", 2}}});
  std::vector<std::string> numbers;
  for (int start = 0; start < 2; start++) {
    for (int i = 0; i < 6; i++) {
      const size_t mark = world.relay().log().mark();
      world.join("dev" + std::to_string(i));
      numbers.push_back(world.relay().session_up(mark).at("session"));
    }
    if (start == 0) world.relay().start_relayd();
  }
  std::ranges::sort(numbers);
  CHECK(std::ranges::adjacent_find(numbers) == numbers.end());
}

TEST_CASE("log: a key that is not the certificate's is named with the command that mends it") {
  World world;
  const Identity shown = device_identity("p256", 1);
  world.give_key("dev7", device_identity("p256", 2));
  CHECK(world.refusal(shown, "dev7", mqtt::v311) == 5);
  const Json line = world.relay().session_closed();
  CHECK(line.at("event") == "session_refused");
  CHECK(line.at("why").get<std::string>().find(
            "key dev7.pem does not match the certificate that dev7 presented (SPKI ") != std::string::npos);
  CHECK(line.at("fix") == "install the device's key again: `mqtt-relay keys import --replace --as=dev7 KEYFILE`");
  CHECK(line.at("fingerprint") == lower(openssl(shown, {"-fingerprint", "-sha256"})));
}

TEST_CASE("log: a broker's refusal has its code, its name and the fix") {
  World world({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  world.give_key("dev7", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "dev7", .level = mqtt::v5}));
  auto broker = world.captured->accept();
  broker.read_packet();
  broker.send(mqtt::packet(0x20, std::string("\0\x85\0", 3)));
  const Json line = world.relay().session_closed();
  CHECK(line.at("event") == "session_refused");
  CHECK(line.at("why").get<std::string>().find("CONNACK 0x85, Client Identifier not valid") != std::string::npos);
  CHECK(line.at("fix") == "the broker must allow this client id, and this certificate to use it");
}

TEST_CASE("log: a connection that never sent CONNECT is not called a session") {
  World world;
  { const auto device = world.device(device_identity("p256", 1)); }
  const Json line = world.relay().session_closed();
  CHECK(line.at("event") == "connection_closed");
  CHECK(line.at("subject").get<std::string>().find("CN=p256-1") != std::string::npos);
}

TEST_CASE("log: log_format text writes lines for people also into a pipe, and every process obeys") {
  World world({.relayd = {{"log_format", "text"}}});
  auto device = world.join("dev7");
  const std::string line = world.relay().log().wait_text("session up");
  CHECK(line.find(" mqtt-relayd-worker info: session up worker=") != std::string::npos);
  CHECK(line.find(" client_id=\"dev7\"") != std::string::npos);
  CHECK(line.find('\033') == std::string::npos);
  for (const auto& other : world.relay().log().lines())
    CHECK((other.find("relayd") != std::string::npos && other.front() != '{'));
}

TEST_CASE("log: at a terminal every process of relayd writes lines for people, after a reload too") {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  REQUIRE((master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0));
  const std::string terminal = ptsname(master);
  std::string written;
  const auto wait_for = [&](const std::string& text, size_t times) {
    const auto seen = [&] {
      size_t count = 0;
      for (size_t at = 0; (at = written.find(text, at)) != written.npos; at++) count++;
      return count >= times;
    };
    for (const Deadline deadline = patience(); !seen();) {
      REQUIRE_FALSE(deadline.over());
      pollfd one{master, POLLIN, 0};
      poll(&one, 1, 100);
      char bytes[4096];
      if (const ssize_t got = read(master, bytes, sizeof bytes); got > 0)
        written.append(bytes, static_cast<size_t>(got));
    }
  };
  World world({.relayd = {{"workers", 1}}, .relayd_before_exec = [terminal] {
                 const int slave = open(terminal.c_str(), O_RDWR | O_NOCTTY);
                 return slave >= 0 && dup2(slave, STDERR_FILENO) == STDERR_FILENO;
               }});
  wait_for("relayd serves", 1);
  world.relay().relayd().signal(SIGHUP);
  wait_for("worker is sandboxed", 2);
  wait_for("connector is sandboxed", 2);
  CAPTURE(written);
  CHECK(written.find("{\"time\"") == written.npos);
  world.relay().relayd().signal(SIGTERM);
  CHECK(world.relay().relayd().wait().code == 0);
  close(master);
}
