// `mqtt-relay keys` shows each key as OpenSSL sees it, and never its private half.
#include "keyd/admin/keys.h"

#include "common/json_line.h"
#include "keyd_admin_support.h"

using namespace keyd;
using namespace keyd::admin;
using namespace keyd_test;
using nlohmann::json;

namespace {

struct Keys {
  Keys() : room(Settings{}) {}
  std::string list(KeysOptions options = {}, Screen screen = {}, size_t most_sorted = kMostSorted) {
    std::ostringstream out;
    summary = list_keys({scratch.path(), "test"}, room.reader, options, out, screen, most_sorted);
    return out.str();
  }
  std::vector<json> as_json() {
    std::vector<json> all;
    std::istringstream in(list({true, false}));
    for (std::string line; std::getline(in, line);) all.push_back(json::parse(line));
    return all;
  }
  ScratchDir scratch;
  KeyRoom room;
  KeysSummary summary;
};

std::string hex_of(const ipc::Spki& spki) { return common::hex(spki.data(), spki.size()); }

}  // namespace

TEST_CASE("keys are listed as OpenSSL sees them", "[keyd][keyd-admin]") {
  Keys keys;
  const std::vector<std::tuple<std::string, std::string, int>> kTypes = {{"RSA:2048", "RSA", 2048},
                                                                         {"P-256", "P-256", 256},
                                                                         {"P-384", "P-384", 384},
                                                                         {"P-521", "P-521", 521},
                                                                         {"ED25519", "Ed25519", 256}};
  std::map<std::string, witness::Key> made;
  for (const auto& [type, shown, bits] : kTypes) {
    made[type] = witness::Key::generate(type);
    keys.scratch.put(type + ".pem", made[type].text(witness::Form::pkcs8));
  }
  const auto rows = keys.as_json();
  REQUIRE(rows.size() == kTypes.size());
  for (const auto& [type, shown, bits] : kTypes) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const json& r) { return r.at("client_id") == type; });
    INFO(type);
    REQUIRE(row != rows.end());
    CHECK(row->at("type") == shown);
    CHECK(row->at("bits") == bits);
    CHECK(row->at("spki") == hex_of(made[type].spki()));
    CHECK(row->at("mode") == "0600");
    CHECK(row->at("problem") == "");
    // The private half as the file has it, line by line.
    std::istringstream text(made[type].text(witness::Form::pkcs8));
    const std::string shown_text = keys.list() + keys.list({true, false});
    for (std::string line; std::getline(text, line);) CHECK(shown_text.find(line) == std::string::npos);
  }
}

TEST_CASE("a key that can't be used is listed with its problem", "[keyd][keyd-admin]") {
  Keys keys;
  const auto key = witness::Key::generate("P-256");
  keys.scratch.put("open.pem", key.text(witness::Form::pkcs8), 0644);
  keys.scratch.put("broken.pem", "no key");
  keys.scratch.put("good.pem", key.text(witness::Form::pkcs8), 0400);
  keys.scratch.put("README", "not a key's name");
  const auto rows = keys.as_json();
  REQUIRE(rows.size() == 3);
  CHECK(keys.summary.keys == 3);
  CHECK(keys.summary.problems == 2);
  CHECK(keys.summary.others == 1);
  CHECK(rows[0].at("client_id") == "broken");
  CHECK(rows[0].at("problem").get<std::string>().find("not PEM") != std::string::npos);
  CHECK_FALSE(rows[0].contains("spki"));
  CHECK(rows[1].at("client_id") == "good");
  CHECK(rows[1].at("mode") == "0400");
  CHECK(rows[2].at("problem").get<std::string>().find("chmod 600") != std::string::npos);
  const std::string table = keys.list();
  CHECK(table.find("broken") < table.find("good"));
  CHECK(table.find("good") < table.find("open"));
}

TEST_CASE("a terminal gets short hashes, or whole ones with --wide", "[keyd][keyd-admin]") {
  Keys keys;
  const auto key = witness::Key::generate("P-256");
  keys.scratch.put("dev.pem", key.text(witness::Form::pkcs8));
  const std::string spki = hex_of(key.spki());
  CHECK(keys.list().find(spki) != std::string::npos);
  const std::string narrow = keys.list({}, {true, false});
  CHECK(narrow.find(spki) == std::string::npos);
  CHECK(narrow.find(spki.substr(0, 16) + "…") != std::string::npos);
  CHECK(keys.list({false, true}, {true, false}).find(spki) != std::string::npos);
}

TEST_CASE("a file name can't send escape sequences to the terminal", "[keyd][keyd-admin]") {
  Keys keys;
  const std::string id =
      "x\xc2\x9b"
      "2J\xe2\x80\xae";
  keys.scratch.put(id + ".pem", "no key");
  for (const bool as_json : {false, true}) {
    const std::string text = keys.list({as_json, false}, {true, false});
    CHECK(text.find("x\\u009b2J\\u202e") != std::string::npos);
    CHECK(text.find("\xc2\x9b") == std::string::npos);
  }
  // No client id contains a line feed (MQTT-1.5.4), so this file is not even listed.
  keys.scratch.put("a\nb.pem", "no key");
  CHECK(keys.list().find("a\nb") == std::string::npos);
  CHECK(keys.summary.others == 1);
}

TEST_CASE("a large directory is listed whole, unsorted, as it is read", "[keyd][keyd-admin]") {
  Keys keys;
  for (int i = 0; i < 50; i++) keys.scratch.put("dev" + std::to_string(i) + ".pem", "no key");
  const auto lines = [&](size_t most_sorted) {
    std::vector<std::string> all;
    std::istringstream in(keys.list({}, {}, most_sorted));
    for (std::string line; std::getline(in, line);) all.push_back(line.substr(0, line.find(' ')));
    return all;
  };
  auto sorted = lines(50), streamed = lines(10);
  CHECK(sorted.size() == 51);
  CHECK(std::is_sorted(sorted.begin() + 1, sorted.end()));
  CHECK(streamed.size() == 51);
  CHECK_FALSE(std::is_sorted(streamed.begin() + 1, streamed.end()));
  std::sort(streamed.begin() + 1, streamed.end());
  CHECK(streamed == sorted);
}

TEST_CASE("a missing key directory is an error that names its setting", "[keyd][keyd-admin]") {
  Keys keys;
  std::ostringstream out;
  try {
    list_keys({keys.scratch / "none", "keyd.json: private_keys_dir"}, keys.room.reader, {}, out, {});
    FAIL("no error");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()).find("keyd.json: private_keys_dir") == 0);
  }
}

TEST_CASE("keys CLIENT_ID shows its key and the files whose names come close, and says which of them is its own",
          "[keyd][keyd-admin]") {
  Keys keys;
  const auto text = witness::Key::generate("P-256").text(witness::Form::pkcs8);
  for (const char* file : {"dev7.pem", "other.pem", "Za\u0308hler.pem", "README"}) keys.scratch.put(file, text);
  const auto ask = [&](const std::string& id) {
    const std::string table = keys.list({.json = true, .client_id = id});
    return table + verdict_on(id, keys.summary);
  };
  CHECK(ask("dev7").find("\"dev7\" has a key: it goes to the remote broker") != std::string::npos);
  const std::string near = ask("DEV7");
  CHECK(near.find("\"client_id\":\"dev7\"") != std::string::npos);
  CHECK(near.find("other") == std::string::npos);
  CHECK(near.find("\"DEV7\" has no usable key") != std::string::npos);
  CHECK(near.find("rename the file") != std::string::npos);
  CHECK(ask("z\u00e4hler").find("Za\u0308hler") != std::string::npos);
  CHECK(ask("nobody").find("there is no nobody.pem; the device stays local") != std::string::npos);
  CHECK(ask("dev1/mod1").find("no file can have that name (it has a /)") != std::string::npos);
  CHECK_FALSE(keys.summary.found);
}
