// Failed handshakes are counted by their cause, and how long the others took is measured.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/raw_tls.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A gateway whose status the test can read.
struct CountedGateway {
  TempDir directory;
  std::optional<World> world;

  explicit CountedGateway(WorldOptions options = {.remote = RemoteKind::none, .local = false}) {
    fs::permissions(directory.path(), fs::perms::all);
    options.relayd["control_socket"] = directory / "control.sock";
    options.relayd["workers"] = 1;
    world.emplace(options);
  }
  Json status() {
    const auto asked = world->relay().ask_relayd({"status"});
    REQUIRE(asked.status.code == 0);
    return Json::parse(asked.out);
  }
  Json wait(const JsonPredicate& until) {
    for (const Deadline deadline = patience();;) {
      Json now = status();
      if (until(now)) return now;
      if (deadline.over()) throw Failure("it is not counted: " + now.dump());
    }
  }
  // Waits for one failed handshake. Returns the causes that were counted.
  std::vector<std::string> causes() {
    const Json total = wait([](const Json& now) { return now.at("total").at("handshakes_failed") == 1; }).at("total");
    std::vector<std::string> counted;
    for (const auto& [cause, count] : total.at("handshake_failures").items())
      if (count != 0) counted.push_back(count == 1 ? cause : cause + " several times");
    return counted;
  }
  void refuse(const TlsContext& context) {
    auto stream = TlsStream::open(world->relay().endpoint(), context);
    stream.refused_handshake();
  }
};

using Causes = std::vector<std::string>;

// The observations of one histogram.
uint64_t observations(const Json& status, const std::string& name, const std::string& value) {
  for (const Json& one : status.at("histograms")) {
    if (one.at("name") != name || one.at("value") != value) continue;
    uint64_t sum = 0;
    for (const Json& bucket : one.at("buckets")) sum += bucket.get<uint64_t>();
    CHECK((sum > 0) == (one.at("nanoseconds") > 0));
    return sum;
  }
  throw Failure("there is no histogram " + name + " of " + value);
}

}  // namespace

TEST_CASE("a device's refused certificate is counted by what is wrong with it") {
  TempDir crls;
  fs::permissions(crls.path(), fs::perms::all);
  const auto good = device_identity("p256", 1);
  SECTION("expired") {
    CountedGateway gateway;
    const auto old = expired_device("p256");
    gateway.refuse(TlsContext::client(&old, authorities().root));
    CHECK(gateway.causes() == Causes{"certificate_expired"});
  }
  SECTION("of an unknown authority") {
    CountedGateway gateway;
    const auto strange = strange_device("p256");
    gateway.refuse(TlsContext::client(&strange, authorities().root));
    CHECK(gateway.causes() == Causes{"unknown_ca"});
  }
  SECTION("missing") {
    CountedGateway gateway;
    gateway.refuse(TlsContext::client(nullptr, authorities().root, TlsVersion::v1_2));
    CHECK(gateway.causes() == Causes{"no_certificate"});
  }
  SECTION("revoked, or with a CRL that has expired") {
    const bool expired = GENERATE(false, true);
    const auto file = crls / "devices.crl";
    write_crl(file, {good}, expired);
    CountedGateway gateway({.relayd = {{"listener", {{"crlfile", file}}}}, .remote = RemoteKind::none, .local = false});
    gateway.refuse(TlsContext::client(&good, authorities().root));
    CHECK(gateway.causes() == Causes{expired ? "revocation_unknown" : "certificate_revoked"});
  }
}

TEST_CASE("a handshake that fails without a certificate is counted by its cause") {
  CountedGateway gateway(
      {.relayd = {{"listener", {{"handshake_timeout", "500ms"}}}}, .remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  const std::string begun("\x16\x03\x01\x02\x00\x01", 6);
  SECTION("no common TLS version") {
    auto old = TlsContext::client(&identity, authorities().root);
    old.allow_tls_1_1_only();
    gateway.refuse(old);
    CHECK(gateway.causes() == Causes{"nothing_in_common"});
  }
  SECTION("the device does not trust the listener") {
    auto stream =
        TlsStream::open(gateway.world->relay().endpoint(), TlsContext::client(&identity, strange_authorities().root));
    CHECK_THROWS_AS(stream.handshake(), Failure);
    CHECK(gateway.causes() == Causes{"listener_certificate"});
  }
  SECTION("it leaves") {
    RawSocket(gateway.world->relay().endpoint()).send(begun);
    CHECK(gateway.causes() == Causes{"closed"});
  }
  SECTION("it takes too long") {
    RawSocket slow(gateway.world->relay().endpoint());
    slow.send(begun);
    CHECK(gateway.causes() == Causes{"timeout"});
  }
  SECTION("it speaks another protocol") {
    RawSocket other(gateway.world->relay().endpoint());
    other.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(gateway.causes() == Causes{"not_tls"});
  }
}

TEST_CASE("a session's way is measured: both handshakes, CONNECT to CONNACK, and keyd's answers") {
  CountedGateway gateway{WorldOptions{}};
  auto remote = gateway.world->join("device");
  auto local = gateway.world->device(device_identity("p256", 2));
  local.connect({.client_id = "stays-local"});
  remote.ping();
  const Json status = gateway.status();
  CHECK(observations(status, "tls_handshake_duration_seconds", "device") == 2);
  CHECK(observations(status, "tls_handshake_duration_seconds", "remote") == 1);
  CHECK(observations(status, "tls_handshake_duration_seconds", "local") == 0);  // plain TCP
  CHECK(observations(status, "connect_duration_seconds", "remote") == 1);
  CHECK(observations(status, "connect_duration_seconds", "local") == 1);
  CHECK(observations(status, "keyd_answer_duration_seconds", "lookup") == 2);
  CHECK(observations(status, "keyd_answer_duration_seconds", "sign") == 3);  // two as the listener, one as the device
}

TEST_CASE("a broker that no connection reaches is counted") {
  CountedGateway gateway(
      {.relayd = {{"remote", {{"connect_timeout", "2s"}}}}, .remote = RemoteKind::none, .local = false});
  const auto identity = device_identity("p256", 1);
  gateway.world->give_key("thermo", identity);
  CHECK(gateway.world->refusal(identity, "thermo", mqtt::v5) == 0x88);
  CHECK(gateway.status().at("total").at("dials_failed") == Json({{"remote", 1}, {"local", 0}}));
}

TEST_CASE("status says when each certificate, CA and CRL in use expires") {
  TempDir crls;
  fs::permissions(crls.path(), fs::perms::all);
  const auto file = crls / "devices.crl";
  write_crl(file, {});
  CountedGateway gateway({.relayd = {{"listener", {{"crlfile", file}}}}, .remote = RemoteKind::none, .local = false});
  std::map<std::string, size_t> kinds;
  const Json status = gateway.status();
  for (const Json& one : status.at("expiries")) {
    INFO(one.dump());
    kinds[one.at("kind")]++;
    CHECK(one.at("at").get<int64_t>() > time(nullptr));
    CHECK_FALSE(one.at("subject").get<std::string>().empty());
    if (one.at("kind") == "crl") CHECK(one.at("file") == file.string());
  }
  CHECK(kinds["certificate"] >= 1);
  CHECK(kinds["ca"] >= 1);
  CHECK(kinds["crl"] == 1);
}
