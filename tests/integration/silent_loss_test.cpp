// Losses that would go unnoticed are reported: devices that stay local although a key may have been meant for them, and
// devices that the remote broker refuses.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A world with readable counters.
struct Counted {
  explicit Counted(WorldOptions options = {}) {
    fs::permissions(directory.path(), fs::perms::all);
    options.relayd["control_socket"] = directory / "control.sock";
    world.emplace(options);
  }
  World* operator->() { return &*world; }
  Json totals() {
    const auto asked = world->relay().ask_relayd({"status"});
    REQUIRE(asked.status.code == 0);
    return Json::parse(asked.out).at("total");
  }
  Json line(const std::string& text, size_t mark = 0) {
    return world->relay().log().wait_json(
        [&](const Json& j) { return (j.value("msg", "") + j.value("why", "")).find(text) != std::string::npos; }, text,
        mark);
  }
  TempDir directory;
  std::optional<World> world;
};

}  // namespace

TEST_CASE("a device whose client id cannot be a file name stays local, is counted, and a warning says why") {
  Counted test({.local = false});
  const auto identity = device_identity("p256", 1);
  uint64_t counted = 0;
  for (const auto& [id, why] : {std::pair<std::string, std::string>{"dev1/mod1", "it has a /"},
                                {".", "name of a directory"},
                                {std::string(252, 'x'), "more than 251 bytes"},
                                {"a\tb", "control characters"}}) {
    CAPTURE(id);
    const auto mark = test->relay().log().mark();
    auto device = test->device(identity);
    device.join(id).ping();
    const Json warning = test.line("its client id can't be the name of a key file", mark);
    CHECK(warning.at("level") == "warning");
    CHECK(warning.at("client_id") == id.substr(0, 100));
    CHECK(warning.at("why").get<std::string>().find(why) != std::string::npos);
    CHECK(warning.at("fix").get<std::string>().find("251 bytes") != std::string::npos);
    CHECK(test.totals().at("suspicious_local").at("impossible_file_name") == ++counted);
  }
  CHECK(test->remote_connections() == 0);
}

TEST_CASE("a device whose key file differs only in case or Unicode form stays local, and a warning names both") {
  struct Miss {
    const char *key, *id, *why;
  };
  const auto miss = GENERATE(Miss{"dev7", "Dev7", "case"}, Miss{"DEV7", "dev7", "case"}, Miss{"Dev7", "DEV7", "case"},
                             Miss{"z\u00e4hler", "za\u0308hler", "NFC"}, Miss{"za\u0308hler", "z\u00e4hler", "NFC"},
                             Miss{"za\u0308hler", "Z\u00e4hler", "case"});
  CAPTURE(miss.key, miss.id);
  Counted test;
  const auto identity = device_identity("p256", 1);
  test->give_key(miss.key, identity);
  auto device = test->device(identity);
  device.join(miss.id).ping();
  const Json warning = test.line("the only key for its client id is spelled differently");
  INFO(warning.dump());
  CHECK(warning.at("level") == "warning");
  CHECK(warning.at("client_id") == miss.id);
  CHECK(warning.at("key_file") == std::string(miss.key) + ".pem");
  CHECK(warning.at("why").get<std::string>().find(miss.why) != std::string::npos);
  CHECK(test.totals().at("suspicious_local").at("other_spelling") == 1);
  CHECK(test->remote_connections() == 0);
  // A device with the right spelling is relayed, without a warning.
  const auto mark = test->relay().log().mark();
  auto right = test->device(identity);
  right.join(miss.key);
  CHECK(test->remote->user_of(miss.key) == identity.name);
  CHECK(test->relay().log().count_text("stays local", mark) == 0);
}

TEST_CASE("a client id in the wrong case is matched, through the certificate, with a key file in mixed case") {
  Counted test;
  const auto identity = device_named("SensoR-aB7");
  test->give_key("SensoR-aB7", identity);
  auto device = test->device(identity);
  device.join("sENSOr-Ab7").ping();
  CHECK(test.line("the only key for its client id is spelled differently").at("key_file") == "SensoR-aB7.pem");
  CHECK(test->remote_connections() == 0);
}

TEST_CASE("check warns, with the remedy, of devices that stayed local by mistake or were refused") {
  Counted test({.remote_passwords = "known:secret\n"});
  const auto identity = device_identity("p256", 1);
  test->give_key("dev7", identity);
  const auto check = [&] { return check_named(test->relay().ask_relayd({"check", "relayd", "--json"}), "devices"); };
  CHECK(check().at("result") == "ok");
  auto impossible = test->device(identity), misspelled = test->device(identity);
  impossible.join("a/b").ping();
  misspelled.join("DEV7").ping();
  CHECK(test->refusal(identity, "dev7", mqtt::v5) == 0x87);
  const Json found = check();
  INFO(found.dump(2));
  CHECK(found.at("result") == "warning");
  const auto details = found.at("details").dump(), fix = found.at("fix").get<std::string>();
  CHECK(details.find("1 session stayed local because no key file can be named after the client id") !=
        std::string::npos);
  CHECK(details.find("1 session stayed local because the key file differs") != std::string::npos);
  CHECK(details.find("refused 1 CONNECT: 0x87, Not authorized") != std::string::npos);
  CHECK(fix.find("mqtt-relay keys CLIENT_ID") != std::string::npos);
}

TEST_CASE("a device with no key or an empty client id stays local without a warning") {
  Counted test;
  const auto identity = device_identity("p256", 1);
  test->give_key("other", identity);
  for (const std::string id : {"nobody", "", "\u00e4"}) {
    auto device = test->device(identity);
    device.join(id).ping();
  }
  CHECK(test->relay().log().count_text("stays local") == 0);
  const auto totals = test.totals();
  for (const auto& [kind, number] : totals.at("suspicious_local").items()) CHECK(number == 0);
}

TEST_CASE("a refusal by the remote is counted by code, the log has the code in hex, its name and the broker's reason") {
  Counted test({.remote = RemoteKind::captured, .local = false});
  const auto identity = device_identity("p256", 1);
  test->give_key("thermo", identity);
  const auto reason = "\x1f" + mqtt::text("no such\x1b[2J device");
  struct Refused {
    int level;
    std::string answer;
    const char *code, *says;
  };
  for (const auto& refused :
       {Refused{mqtt::v5, mqtt::packet(0x20, std::string("\0\x87", 2) + mqtt::variable_length(reason.size()) + reason),
                "0x87", "CONNACK 0x87, Not authorized; its reason: no such\x1b[2J device"},
        Refused{mqtt::v5, mqtt::packet(0x20, std::string("\0\x8a\0", 3)), "0x8A", "CONNACK 0x8A, Banned"},
        Refused{mqtt::v5, mqtt::packet(0x20, std::string("\0\xfe\0", 3)), "other", "CONNACK 0xFE, unknown code"},
        Refused{mqtt::v311, mqtt::packet(0x20, std::string("\0\4", 2)), "0x04",
                "CONNACK 0x04, Bad user name or password"}}) {
    CAPTURE(refused.code);
    const auto mark = test->relay().log().mark();
    auto device = test->device(identity);
    device.tls().send(mqtt::connect({.client_id = "thermo", .level = refused.level}));
    auto remote = test->captured->accept();
    remote.read_packet();
    remote.send(refused.answer);
    CHECK((device.tls().read_to_end().leftover == refused.answer));
    const Json line = test.line("the remote broker refused the device", mark);
    CHECK(line.at("why").get<std::string>().ends_with(refused.says));
    CHECK(line.at("client_id") == "thermo");
    CHECK(test.totals().at("remote_refused").at(refused.code) == 1);
  }
  CHECK(test->relay().log().text().find('\x1b') == std::string::npos);
}

TEST_CASE("a CONNACK with a refusal in two records is passed on whole, and the log has its reason") {
  Counted test({.remote = RemoteKind::captured, .local = false});
  const auto identity = device_identity("p256", 1);
  test->give_key("thermo", identity);
  const auto reason = "\x1f" + mqtt::text("not today");
  const auto answer = mqtt::packet(0x20, std::string("\0\x87", 2) + mqtt::variable_length(reason.size()) + reason);
  const size_t first = GENERATE(3u, 4u, 6u, 12u);
  CAPTURE(first);
  auto device = test->device(identity);
  device.tls().send(mqtt::connect({.client_id = "thermo", .level = mqtt::v5}));
  auto remote = test->captured->accept();
  remote.read_packet();
  remote.send(answer.substr(0, first));
  CHECK(device.tls().read_exactly(first) == answer.substr(0, first));
  remote.send(answer.substr(first));
  CHECK((device.tls().read_to_end().leftover == answer.substr(first)));
  test.line("0x87, Not authorized; its reason: not today");
}

TEST_CASE("a real broker's refusals are counted in full but fill only a few log lines a second") {
  Counted test({.local = false, .remote_passwords = "known:secret\n"});
  const auto identity = device_identity("p256", 1);
  test->give_key("thermo", identity);
  for (int i = 0; i < 30; i++) CHECK(test->refusal(identity, "thermo", mqtt::v311) == 5);
  CHECK(test->refusal(identity, "thermo", mqtt::v5) == 0x87);
  const Json refused = test.totals().at("remote_refused");
  CHECK(refused.at("0x05") == 30);
  CHECK(refused.at("0x87") == 1);
  test.line("CONNACK 0x87, Not authorized");
}
