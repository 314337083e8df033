// keyd's configuration: defaults, precedence, and errors that name file, path, value and remedy.
#include "keyd/startup/settings.h"

#include <pwd.h>

#include "common/config.h"
#include "keyd_support.h"

using namespace keyd;
using namespace keyd_test;

namespace {

Settings load(const std::string& text, const Overrides& overrides = {}) {
  const ScratchDir scratch;
  return load_settings(scratch.put("keyd.json", text), overrides);
}

std::string error_of(const std::string& text) {
  try {
    load(text);
  } catch (const common::ConfigError& error) {
    return error.what();
  }
  return "";
}

std::string config(const std::string& more = "", const std::string& users = R"(["1234"])") {
  return R"({ "private_keys_dir": "/keys", // where
              "listener_keyfile": "/listener.key", "socket": "/run/s.sock", "allowed_users": )" +
         users + more + "}";
}

std::string listener_keys(const std::string& list) {
  const std::string text = config();
  constexpr std::string_view kOne = R"("/listener.key")";
  return std::string(text).replace(text.find(kOne), kOne.size(), list);
}

}  // namespace

TEST_CASE("listener_keyfile is one file or a list of them", "[keyd][settings]") {
  const Settings settings = load(listener_keys(R"(["/a.key", "/b.key"])"));
  REQUIRE(settings.listener_keyfiles.size() == 2);
  CHECK(settings.listener_keyfiles[1].path == "/b.key");
}

TEST_CASE("the smallest keyd configuration has the documented defaults", "[keyd][settings]") {
  const Settings settings = load(config());
  CHECK(settings.private_keys_dir.path == "/keys");
  CHECK(settings.listener_keyfiles.front().path == "/listener.key");
  CHECK(settings.socket.path == "/run/s.sock");
  CHECK(settings.allowed_uids == std::vector<uid_t>{1234});
  CHECK(settings.allow_tls12_client);
  CHECK(settings.require_presence);
  CHECK(settings.presence_window == common::Milliseconds(60'000));
  CHECK(settings.key_cache == 256);
  CHECK(settings.max_connections == 256);
  CHECK(settings.signers >= 1);
  CHECK(settings.max_queue == 4096);
  CHECK(settings.worker_rate == common::Rate{5000, common::Milliseconds(1000)});
  CHECK(settings.key_rate == common::Rate{100, common::Milliseconds(1000)});
  CHECK_FALSE(settings.require_sandbox);
  CHECK_FALSE(settings.bind_remote);
  CHECK_FALSE(settings.bind_device);
  CHECK_FALSE(settings.audit_file);
  CHECK_FALSE(settings.key_passphrase_file);
  CHECK(settings.log.level == common::log::Level::info);
}

TEST_CASE("bind_device needs authorities, and a proof of presence", "[keyd][settings]") {
  using From = keyd::BoundDevice::ClientIdFrom;
  const auto settings = load(config(R"(, "bind_device": {"cacertfile": "/ca.pem"})"));
  REQUIRE(settings.bind_device);
  CHECK(settings.bind_device->cacertfile.path == "/ca.pem");
  CHECK(settings.bind_device->cacertfile.origin.ends_with(": bind_device.cacertfile"));
  CHECK(settings.bind_device->client_id_from == From::cn);
  CHECK_FALSE(settings.bind_device->partial_chain);
  const auto other =
      load(config(R"(, "bind_device": {"cacertfile": "/ca.pem", "client_id_from": "san", "partial_chain": true})"));
  CHECK(other.bind_device->client_id_from == From::san);
  CHECK(other.bind_device->partial_chain);
  const auto says = [](const std::string& more, const std::string& text) {
    INFO(error_of(config(more)));
    CHECK(error_of(config(more)).find(text) != std::string::npos);
  };
  says(R"(, "bind_device": {})", "bind_device.cacertfile");
  says(R"(, "bind_device": {"cacertfile": "/ca.pem", "client_id_from": "any"})", "bind_device.client_id_from");
  says(R"(, "bind_device": {"cacertfile": "/ca.pem", "crlfile": "/crl.pem"})", "bind_device.crlfile");
  says(R"(, "require_presence": false, "bind_device": {"cacertfile": "/ca.pem"})", "require_presence is false");
}

TEST_CASE("bind_remote needs a name and authorities", "[keyd][settings]") {
  const auto settings = load(config(R"(, "bind_remote": {"remote_host": "broker.example", "cacertfile": "/ca.pem"})"));
  REQUIRE(settings.bind_remote);
  CHECK(settings.bind_remote->remote_hosts == std::vector<std::string>{"broker.example"});
  CHECK(settings.bind_remote->cacertfile.path == "/ca.pem");
  CHECK(settings.bind_remote->alpn.empty());
  const std::string with_alpn = R"(, "bind_remote": {"remote_host": "b", "cacertfile": "/ca.pem", "alpn": )";
  CHECK(load(config(with_alpn + R"(["mqtt", "x"]})")).bind_remote->alpn == std::vector<std::string>{"mqtt", "x"});
  for (const char* wrong : {R"([""]})", R"(["a,b"]})", R"("mqtt"})"})
    CHECK(error_of(config(with_alpn + wrong)).find("bind_remote.alpn") != std::string::npos);
  CHECK(error_of(config(R"(, "bind_remote": {"cacertfile": "/ca.pem"})")).find("bind_remote.remote_host") !=
        std::string::npos);
  const auto with_hosts = [](const std::string& hosts) {
    return config(R"(, "bind_remote": {"cacertfile": "/ca.pem", "remote_host": )" + hosts + "}");
  };
  CHECK(load(with_hosts(R"(["a", "b"])")).bind_remote->remote_hosts == std::vector<std::string>{"a", "b"});
  for (const char* wrong :
       {"[]", R"("")", R"(["a", ""])", R"(["a,b"])", "7", R"(["1","2","3","4","5","6","7","8","9"])"})
    CHECK(error_of(with_hosts(wrong)).find("bind_remote.remote_host") != std::string::npos);
  CHECK(error_of(config(R"(, "bind_remote": {"remote_host": "b"})")).find("bind_remote.cacertfile") !=
        std::string::npos);
}

TEST_CASE("allowed users are names or numbers", "[keyd][settings]") {
  const passwd* me = getpwuid(geteuid());
  REQUIRE(me);
  CHECK(load(config("", R"(["0", ")" + std::string(me->pw_name) + "\"]")).allowed_uids ==
        std::vector<uid_t>{0, geteuid()});
}

TEST_CASE("the command line overrides the file", "[keyd][settings]") {
  const Settings settings = load(config(R"(, "log_level": "error")"), {"/elsewhere", "debug"});
  CHECK(settings.private_keys_dir.path == "/elsewhere");
  CHECK(settings.private_keys_dir.origin.find("--private-keys-dir") != std::string::npos);
  CHECK(settings.log.level == common::log::Level::debug);
  CHECK(load(R"({"listener_keyfile": "/l", "socket": "/s", "allowed_users": ["1"]})", {"/keys", {}})
            .private_keys_dir.path == "/keys");
}

TEST_CASE("a wrong keyd configuration is refused, and the error names the key", "[keyd][settings]") {
  const std::pair<std::string, std::string> kWrong[] = {
      {config("", "[]"), "allowed_users"},
      {config("", R"([""])"), "allowed_users"},
      {config("", R"(["no-such-user-here"])"), "no-such-user-here"},
      {config("", R"(["-1"])"), "allowed_users"},
      {config("", R"(["4294967296"])"), "allowed_users"},
      {config("", R"(["4294967295"])"), "allowed_users"},
      {config("", R"("mqtt-relay")"), "allowed_users"},
      {listener_keys("[]"), "listener_keyfile: found 0 files; expected 1 to 16"},
      {listener_keys(R"(["/a", ""])"), "listener_keyfile: found \"\""},
      {listener_keys(R"(["/a", "/b", "/a"])"), "listener_keyfile: found \"/a\" twice"},
      {listener_keys("{}"), "listener_keyfile"},
      {config(R"(, "key_cache": 0)"), "key_cache"},
      {config(R"(, "key_cache": 100001)"), "key_cache"},
      {config(R"(, "max_connections": 0)"), "max_connections"},
      {config(R"(, "signers": 0)"), "signers"},
      {config(R"(, "max_queue": 0)"), "max_queue"},
      {config(R"(, "worker_rate": 5)"), "worker_rate"},
      {config(R"(, "key_rate": "0/s")"), "key_rate"},
      {config(R"(, "key_rate": "5/ms")"), "key_rate"},
      {config(R"(, "audit_file": 1)"), "audit_file"},
      {config(R"(, "bind_remote": true)"), "bind_remote"},
      {config(R"(, "log_level": "loud")"), "log_level"},
      {config(R"(, "allow_tls12_client": 1)"), "allow_tls12_client"},
      {config(R"(, "require_presence": "yes")"), "require_presence"},
      {config(R"(, "presence_window": "9999ms")"), "presence_window: found 9999 ms; allowed are 10s to 10m"},
      {config(R"(, "presence_window": "11m")"), "presence_window: found 660000 ms; allowed are 10s to 10m"},
      {config(R"(, "presence_window": 60)"), "presence_window"},
      {config(R"(, "private_key_dir": "/x")"), "private_key_dir"},
      {R"({"listener_keyfile": "/l", "socket": "/s", "allowed_users": ["1"]})", "private_keys_dir"},
      {R"({"private_keys_dir": "/k", "socket": "/s", "allowed_users": ["1"]})", "listener_keyfile"},
      {R"({"private_keys_dir": "/k", "listener_keyfile": "/l", "allowed_users": ["1"]})", "socket"},
      {R"({"private_keys_dir": "/k", "listener_keyfile": "/l", "socket": "/s"})", "allowed_users"},
      {"{", "line 1, column 2: the file ends"}};
  for (const auto& [text, expected] : kWrong) {
    INFO(text);
    const std::string error = error_of(text);
    INFO(error);
    CHECK(error.find("keyd.json") != std::string::npos);
    CHECK(error.find(expected) != std::string::npos);
  }
}
