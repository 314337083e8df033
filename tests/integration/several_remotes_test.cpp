// Several remote brokers: which one a device meets, and what it takes for a device to meet another.
#include <thread>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

Endpoint first_place() { return {own_address(), ports::remote}; }
Endpoint second_place() { return {own_address(), ports::direct}; }

// The relay with two brokers: the World's, and one at second_place().
struct Two {
  World world;
  explicit Two(WorldOptions options = {}, const Json& remote = Json::object(), Json hosts = {}) : world(idle(options)) {
    if (hosts.empty()) hosts = {first_place().text(), second_place().text()};
    if (options.keyd.contains("bind_remote"))
      world.relay().patch_keyd({{"bind_remote", {{"cacertfile", world.directory / "relay/certificates/root.pem"}}}});
    world.relay().patch_relayd({{"remote_host", nullptr}, {"remote_hosts", hosts}, {"remote", remote}});
    world.relay().start();
  }
  static WorldOptions idle(WorldOptions options) {
    options.start = false;
    return options;
  }
  Device knock(const std::string& id, int level = mqtt::v311) {
    const auto identity = device_identity("p256", 1);
    world.give_key(id, identity);
    auto device = world.device(identity);
    device.tls().send(mqtt::connect({.client_id = id, .level = level}));
    return device;
  }
  // The address of the broker at which a new session of the device comes up.
  std::string home_of(const std::string& id) {
    const auto mark = world.relay().log().mark();
    world.join(id);
    const auto up = [&](const Json& j) { return j.value("msg", "") == "session up" && j.value("client_id", "") == id; };
    return world.relay().log().wait_json(up, "a session of " + id, mark).at("address");
  }
  bool meets_first(const std::string& id) { return home_of(id) == first_place().text(); }
  bool meets_second(const std::string& id) { return home_of(id) == second_place().text(); }
};

std::unique_ptr<Mosquitto> broker_at(const Endpoint& place, const fs::path& directory, const std::string& names = "",
                                     bool strange = false) {
  const auto server = server_identity(directory.filename().string(), "p256",
                                      names.empty() ? "IP:" + own_address() : names, directory.parent_path(), strange);
  return std::make_unique<Mosquitto>(MosquittoOptions{.listen = place, .server = server}, directory);
}

std::string refusing_connack(char code) {
  return mqtt::packet(0x20, std::string("\0", 1) + code + std::string("\0", 1));
}

}  // namespace

TEST_CASE("remotes: with the first broker down devices meet the second, and the first again once it is up") {
  Two two;
  const auto second = broker_at(second_place(), two.world.directory / "second");
  CHECK(two.meets_first("before"));
  two.world.remote->process().kill();
  CHECK(two.meets_second("during"));
  two.world.remote->restart();
  CHECK(two.meets_second("soon after"));  // for half a minute it is tried last
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  int tries = 0;
  while (!two.meets_first("try " + std::to_string(++tries))) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the passing of time is what is tested
  }
  CHECK(two.meets_first("after"));  // one device found it well, and the others follow
}

TEST_CASE("remotes: a broker with a wrong certificate costs a device nothing but the try") {
  TempDir directory;
  Two two({.remote_server = server_identity("impostor", "p256", "IP:" + own_address(), directory.path(), true)});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  CHECK(two.meets_second("device"));
  CHECK(two.world.remote->log().count_text("New client connected") == 0);
}

TEST_CASE("remotes: after a broker gave no CONNACK, the next device meets the other one") {
  Two two({.remote = RemoteKind::captured}, {{"connack_timeout", "300ms"}});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  auto device = two.knock("unlucky");
  auto silent = two.world.captured->accept();
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 3);
  CHECK(two.meets_second("next"));
}

TEST_CASE("remotes: a broker that says it is ill has its CONNACK passed on, and the next device meets the other one") {
  Two two({.remote = RemoteKind::captured});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  const std::string answer = GENERATE(refusing_connack('\x88'), refusing_connack('\x89'), refusing_connack('\x9c'),
                                      refusing_connack('\x9d'), mqtt::packet(0x20, std::string("\0\x03", 2)));
  CAPTURE(answer);
  auto device = two.knock("unlucky", answer.size() == 4 ? mqtt::v311 : mqtt::v5);
  auto remote = two.world.captured->accept();
  remote.read_packet();
  remote.send(answer);
  remote.close_notify_and_fin();
  CHECK((device.tls().read_to_end().leftover == answer));
  CHECK(two.meets_second("next"));
}

TEST_CASE("remotes: a CONNACK that is about the device moves no other device") {
  Two two({.remote = RemoteKind::captured});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  for (const std::string id : {"unwelcome", "next"}) {
    auto device = two.knock(id, mqtt::v5);
    auto remote = two.world.captured->accept();
    remote.read_packet();
    remote.send(refusing_connack('\x87'));
    CHECK(mqtt::connack_code(device.tls().read_packet()) == 0x87);
  }
}

TEST_CASE("remotes: closing before CONNACK moves devices only if it happens to two of them") {
  Two two({.remote = RemoteKind::captured});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  for (const std::string id : {"odd", "odd", "odd", "witness"}) {
    auto device = two.knock(id);
    auto remote = two.world.captured->accept();
    remote.read_packet();
    remote.close_notify_and_fin();
    CHECK(mqtt::connack_code(device.tls().read_packet()) == 3);
  }
  CHECK(two.meets_second("next"));
}

TEST_CASE("remotes: round_robin spreads devices over the brokers") {
  Two two({}, {{"strategy", "round_robin"}});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  int firsts = 0;
  for (int i = 0; i < 6; i++) firsts += two.meets_first("device-" + std::to_string(i));
  CHECK(firsts == 3);
}

TEST_CASE("remotes: with hash_clientid a device keeps its broker, and only a lost broker's devices move") {
  Two two({}, {{"strategy", "hash_clientid"}});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  std::map<std::string, bool> at_first;
  for (int i = 0; i < 12; i++) {
    const std::string id = "device-" + std::to_string(i);
    at_first[id] = two.meets_first(id);
    CHECK(two.meets_first(id) == at_first[id]);
  }
  const auto firsts = std::ranges::count_if(at_first, [](const auto& one) { return one.second; });
  REQUIRE(firsts > 0);
  REQUIRE(firsts < std::ssize(at_first));
  second->process().kill();
  for (const auto& [id, first] : at_first) CHECK(two.meets_first(id));
  two.world.remote->process().kill();
  second->restart();
  for (const auto& [id, first] : at_first) CHECK(two.meets_second(id));
}

TEST_CASE("remotes: each broker must have its own name, so a certificate of the first is refused at the second") {
  TempDir directory;
  const Json hosts = {{{"host", own_address()}, {"port", ports::remote}, {"server_name_indication", "a.test"}},
                      {{"host", own_address()}, {"port", ports::direct}, {"server_name_indication", "b.test"}}};
  Two two({.remote_server = server_identity("a", "p256", "DNS:a.test", directory.path())}, Json::object(), hosts);
  auto second = broker_at(second_place(), two.world.directory / "second", "DNS:a.test");
  CHECK(two.meets_first("device"));
  two.world.remote->process().kill();
  const auto identity = device_identity("p256", 1);
  CHECK(two.world.refusal(identity, "device", mqtt::v311) == 3);
  two.world.relay().log().wait_text("is for DNS:a.test, not for 'b.test'");
  second.reset();
  second = broker_at(second_place(), two.world.directory / "right", "DNS:b.test");
  CHECK(two.meets_second("device"));
}

TEST_CASE("remotes: each broker must have its own authority") {
  const bool right = GENERATE(true, false);
  CAPTURE(right);
  TempDir directory;
  const auto root = directory / "strange-root.pem";
  fs::permissions(directory.path(), fs::perms::all);
  fs::copy_file(strange_authorities().root, root);
  fs::permissions(root, fs::perms::others_read, fs::perm_options::add);
  const Json hosts = {{{"host", own_address()}, {"port", ports::remote}},
                      {{"host", own_address()}, {"port", ports::direct}, {"cacertfile", root}}};
  Two two({.remote = RemoteKind::none}, Json::object(), hosts);
  const auto second = broker_at(second_place(), two.world.directory / "second", "", right);
  if (right) {
    CHECK(two.meets_second("device"));
  } else {
    const auto identity = device_identity("p256", 1);
    two.world.give_key("device", identity);
    CHECK(two.world.refusal(identity, "device", mqtt::v311) == 3);
  }
}

TEST_CASE("remotes: with bind_remote keyd signs for each listed broker, and for no other") {
  const bool listed = GENERATE(true, false);
  CAPTURE(listed);
  Json names = {"a.test"};
  if (listed) names.push_back("b.test");
  const Json hosts = {{{"host", own_address()}, {"port", ports::remote}, {"server_name_indication", "a.test"}},
                      {{"host", own_address()}, {"port", ports::direct}, {"server_name_indication", "b.test"}}};
  TempDir directory;
  Two two({.keyd = {{"bind_remote", {{"remote_host", names}}}},
           .remote_server = server_identity("a", "p256", "DNS:a.test", directory.path())},
          Json::object(), hosts);
  const auto second = broker_at(second_place(), two.world.directory / "second", "DNS:b.test");
  CHECK(two.meets_first("device"));
  two.world.remote->process().kill();
  if (listed) CHECK(two.meets_second("device"));
  else CHECK(two.world.refusal(device_identity("p256", 1), "device", mqtt::v311) == 3);
}

TEST_CASE("remotes: a name that can't be resolved leaves devices to the other broker") {
  Two two({}, Json::object(), {"no-such-host.invalid", second_place().text()});
  const auto second = broker_at(second_place(), two.world.directory / "second");
  CHECK(two.meets_second("device"));
  CHECK(two.world.relay().reload().at("msg") == "relayd reloaded");
  CHECK(two.meets_second("after a reload"));
}
