// Which settings of keyd a reload changes, and which need a restart.
#include "keyd/startup/reader.h"

#include "keyd_support.h"
#include "test_paths.h"

using namespace keyd;
using namespace keyd_test;

namespace {

constexpr char kBase[] =
    R"("private_keys_dir": "/k", "listener_keyfile": "/l", "socket": "/s", "allowed_users": ["1"])";

Settings load(const std::string& more) {
  const ScratchDir scratch;
  return load_settings(scratch.put("keyd.json", "{" + more + "}"), {});
}

}  // namespace

TEST_CASE("a reload changes rates, limits and log level of keyd", "[keyd][reload]") {
  Settings running = load(kBase);
  const auto answer = compare(running, load(std::string(kBase) + R"(, "allow_tls12_client": false, "worker_rate": "7/s",
    "key_rate": "infinity", "max_queue": 8, "max_connections": 9, "log_level": "error")"));
  REQUIRE(answer.ok);
  CHECK(std::string(answer.text) == "allow_tls12_client, worker_rate, key_rate, max_queue, max_connections, log_level");
  CHECK_FALSE(answer.now.allow_tls12_client);
  CHECK(answer.now.worker_rate == common::Rate{7, std::chrono::seconds(1)});
  CHECK(answer.now.key_rate == common::Rate{});
  CHECK(answer.now.max_queue == 8);
  CHECK(answer.now.max_connections == 9);
  CHECK(answer.now.log_level == common::log::Level::error);
  CHECK(
      std::string(compare(running, load(kBase)).text).starts_with("allow_tls12_client"));  // it compares with the last
}

TEST_CASE("each setting of keyd that needs a restart is named, and nothing else changes", "[keyd][reload]") {
  const std::pair<const char*, const char*> changes[] = {
      {"private_keys_dir",
       R"("private_keys_dir": "/K", "listener_keyfile": "/l", "socket": "/s", "allowed_users": ["1"])"},
      {"listener_keyfile",
       R"("private_keys_dir": "/k", "listener_keyfile": "/L", "socket": "/s", "allowed_users": ["1"])"},
      {"socket", R"("private_keys_dir": "/k", "listener_keyfile": "/l", "socket": "/S", "allowed_users": ["1"])"},
      {"allowed_users",
       R"("private_keys_dir": "/k", "listener_keyfile": "/l", "socket": "/s", "allowed_users": ["2"])"},
      {"local_keyfile", R"("local_keyfile": "/x")"},
      {"key_passphrase_file", R"("key_passphrase_file": "/x")"},
      {"require_presence", R"("require_presence": false)"},
      {"presence_window", R"("presence_window": "61s")"},
      {"bind_remote", R"("bind_remote": { "remote_host": "h", "cacertfile": "/c" })"},
      {"bind_device", R"("bind_device": { "cacertfile": "/c" })"},
      {"signers", R"("signers": 99)"},
      {"key_cache", R"("key_cache": 257)"},
      {"audit_file", R"("audit_file": "/a")"},
      {"require_sandbox", R"("require_sandbox": true)"}};
  for (const auto& [name, text] : changes) {
    INFO(name);
    Settings running = load(kBase);
    const std::string whole =
        std::string(text).starts_with("\"private_keys_dir") ? text : std::string(kBase) + ", " + text;
    const auto answer = compare(running, load(whole + R"(, "max_queue": 8)"));
    CHECK_FALSE(answer.ok);
    CHECK(std::string(answer.text) ==
          std::string(name) + " can't be changed by a reload; restart keyd: `systemctl restart mqtt-keyd`");
    CHECK(running.max_queue == 4096);
  }
}

TEST_CASE("every setting of keyd either changes by a reload or needs a restart", "[keyd][reload]") {
  // The manual's settings outside of objects: each must be in one of the two lists above.
  const std::string page = slurp(MQTT_RELAY_SOURCE_DIR "/packaging/man/mqtt-keyd.json.5");
  const std::string source = slurp(MQTT_RELAY_SOURCE_DIR "/keyd/startup/reader.cpp");
  size_t found = 0;
  for (size_t at = page.find("\n.It Cm "); at != page.npos; at = page.find("\n.It Cm ", at + 1)) {
    const std::string name = page.substr(at + 8, page.find('\n', at + 1) - at - 8);
    if (name.find('.') != name.npos) continue;
    found++;
    INFO(name);
    CHECK(source.find("check(\"" + name + "\"") != source.npos);
  }
  CHECK(found == 21);
}
