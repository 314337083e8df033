// Every signature has its audit line before it is used, and without the line there is no signature.

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/integration/harness/need.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// Lines caused by the workers; the supervisor also asks, at its start, whether the listener's certificate has its key.
std::vector<Json> events(World& world, const std::string& event) {
  return world.relay().audit().json([&](const Json& j) {
    return j.value("event", "") == event && j.value("peer_pid", -1) != world.relay().relayd().pid();
  });
}

std::string spki_of(const Identity& identity) {
  const auto digest = run(
      {.argv = {"sh", "-c", "openssl pkey -in \"$0\" -pubout -outform DER | openssl dgst -sha256 -r", identity.key}});
  return digest.out.substr(0, 64);
}

}  // namespace

TEST_CASE("audit: the lookup and both signatures are recorded before the device gets its CONNACK") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  auto device = world.device(identity, version);
  // The handshake is done, so the listener's signature is in the audit.
  CHECK(events(world, "sign").size() == 1);
  device.join("thermo");
  const auto signs = events(world, "sign"), lookups = events(world, "lookup");
  REQUIRE(signs.size() == 2);
  REQUIRE(lookups.size() == 1);

  const auto pid = world.relay().connector();  // which connects for the worker
  for (const auto& line : {signs[0], signs[1], lookups[0]}) {
    CAPTURE(line.dump());
    CHECK(line.at("result") == "ok");
    CHECK(line.at("peer_pid") == pid);
    CHECK(line.at("peer_uid") == (geteuid() == 0 ? relay_user : geteuid()));
    CHECK(line.at("worker") == 0);
    CHECK(line.contains("time"));
    CHECK(line.contains("session"));
    CHECK(line.contains("wait_us"));
    CHECK(line.contains("spent_us"));
  }
  CHECK(lookups[0].at("client_id") == "thermo");
  CHECK(lookups[0].at("spki") == spki_of(identity));
  CHECK(signs[1].at("client_id") == "thermo");
  CHECK(signs[1].at("spki") == spki_of(identity));
  CHECK(signs[0].at("spki") != signs[1].at("spki"));
  CHECK(signs[0].at("kind") != signs[1].at("kind"));
  CHECK(signs[0].at("session") == signs[1].at("session"));
}

TEST_CASE("audit: lines are numbered without gaps, and each carries the hash of the one before") {
  World world;
  for (int i = 0; i < 5; ++i) {
    const auto identity = device_identity("p256", i + 1);
    const auto id = "client-" + std::to_string(i);
    world.give_key(id, identity);
    auto device = world.device(identity);
    device.join(id);
  }
  const auto lines = world.relay().audit().json();
  REQUIRE(lines.size() >= 15);
  for (size_t i = 1; i < lines.size(); ++i) {
    CHECK(lines[i].at("seq").get<int64_t>() == lines[i - 1].at("seq").get<int64_t>() + 1);
    CHECK(lines[i].at("prev").get<std::string>().size() == 64);
    CHECK(lines[i].at("prev") != lines[i - 1].at("prev"));
  }
}

TEST_CASE("audit: a lookup that finds no key, and one that finds the wrong key, are recorded") {
  World world;
  world.give_key("wrong", device_identity("p256", 2));
  const auto identity = device_identity("p256", 1);
  auto keyless = world.device(identity);
  keyless.join("keyless");
  world.refusal(identity, "wrong", mqtt::v311);
  const auto lookups = events(world, "lookup");
  REQUIRE(lookups.size() == 2);
  CHECK(lookups[0].at("result") == "not_found");
  CHECK(lookups[1].at("result") == "mismatch");
  // The device's key was never used: the only signatures are the listener's.
  for (const auto& sign : events(world, "sign")) CHECK(sign.at("spki") != spki_of(device_identity("p256", 2)));
}

TEST_CASE("audit: a client id can't forge a line") {
  World world;
  const std::string id = "a\"},{\"event\":\"sign\"\\";
  auto device = world.device(device_identity("p256", 1));
  device.join(id);
  const auto lookups = events(world, "lookup");
  REQUIRE(lookups.size() == 1);
  CHECK(lookups[0].at("client_id") == id);
}

TEST_CASE("audit: keyd does not start where it can't write its first line") {
  World world({.audit_file = "/dev/full", .start = false});
  const auto keyd = world.relay().run_keyd();
  INFO("standard error: " << keyd.err);
  CHECK(keyd.status.code == 1);
  CHECK(keyd.err.find("the audit can't be written to standard output") != std::string::npos);
}

TEST_CASE("keyd refuses every user that is not allowed, even root", "[root]") {
  NEEDS_ROOT();
  World world;
  const auto socket_path = (world.directory / "relay/run/sign.sock").string();
  // keyd either refuses the connection or closes it without an answer.
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    timeval limit{20, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char answer[1024];
    CHECK(recv(fd, answer, sizeof answer, 0) <= 0);
    world.relay().audit().wait_json(
        [](const Json& j) { return j.value("result", "") == "denied" && j.value("peer_uid", -1) == 0; },
        "that root was denied");
  }
  close(fd);
  // Devices are still served.
  auto device = world.device(device_identity("p256", 1));
  device.join("keyless");
}
