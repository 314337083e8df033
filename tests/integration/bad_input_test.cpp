// Bad input ends each program with a non-zero status and a message that names the file, the value and the remedy.

#include <sys/stat.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// Configuration files only: no broker and no running daemon.
struct Idle {
  World world{{.remote = RemoteKind::none, .local = false, .start = false}};
  Relay& relay = world.relay();
};

void check_refused(const Finished& finished, const std::vector<std::string>& named) {
  INFO("standard error: " << finished.err);
  CHECK(finished.status.signal == 0);
  CHECK(finished.status.code > 0);
  for (const auto& part : named) {
    INFO("must be named: " << part);
    CHECK(finished.err.find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("bad input: a configuration that is not JSON is reported with line and column") {
  Idle idle;
  SECTION("keyd") {
    write_file(idle.relay.keyd_configuration(), "{\n  \"private_keys_dir\": \"/x\",\n  \"socket\" \"/y\"\n}\n");
    check_refused(idle.relay.run_keyd(), {idle.relay.keyd_configuration(), "line 3", "column"});
  }
  SECTION("relayd") {
    write_file(idle.relay.relayd_configuration(), "{\n  \"remote_host\": ,\n}\n");
    check_refused(idle.relay.run_relayd(), {idle.relay.relayd_configuration(), "line 2", "column"});
  }
}

TEST_CASE("bad input: a missing configuration file is reported with its path") {
  Idle idle;
  fs::remove(idle.relay.keyd_configuration());
  fs::remove(idle.relay.relayd_configuration());
  check_refused(idle.relay.run_keyd(), {idle.relay.keyd_configuration(), "No such file"});
  check_refused(idle.relay.run_relayd(), {idle.relay.relayd_configuration(), "No such file"});
}

TEST_CASE("bad input: an unknown setting is named, together with the valid ones") {
  Idle idle;
  SECTION("keyd") {
    idle.relay.patch_keyd({{"private_key_dir", "/x"}});
    check_refused(idle.relay.run_keyd(), {idle.relay.keyd_configuration(), "private_key_dir", "private_keys_dir"});
  }
  SECTION("relayd, at the top") {
    idle.relay.patch_relayd({{"remotehost", "x"}});
    check_refused(idle.relay.run_relayd(), {idle.relay.relayd_configuration(), "remotehost", "remote_host"});
  }
  SECTION("relayd, in a section") {
    idle.relay.patch_relayd({{"listener", {{"cert", "x"}}}});
    check_refused(idle.relay.run_relayd(), {idle.relay.relayd_configuration(), "listener.cert", "certfile"});
  }
}

TEST_CASE("bad input: a value of the wrong type or out of range is reported with its JSON path") {
  Idle idle;
  const auto& [change, path] = GENERATE(table<Json, std::string>({
      {{{"remote_port", "8883"}}, "remote_port"},
      {{{"remote_port", 70000}}, "remote_port"},
      {{{"workers", -1}}, "workers"},
      {{{"sign_timeout", "soon"}}, "sign_timeout"},
      {{{"listener", {{"verify", "maybe"}}}}, "listener.verify"},
      {{{"listener", {{"bind", "nowhere"}}}}, "listener.bind"},
      {{{"listener", {{"versions", {"sslv3"}}}}}, "listener.versions"},
      {{{"remote", {{"connect_timeout", 5}}}}, "remote.connect_timeout"},
  }));
  idle.relay.patch_relayd(change);
  check_refused(idle.relay.run_relayd(), {idle.relay.relayd_configuration(), path});
}

TEST_CASE("bad input: a missing required setting is named") {
  Idle idle;
  SECTION("remote_host") {
    idle.relay.patch_relayd({{"remote_host", nullptr}});
    check_refused(idle.relay.run_relayd(), {idle.relay.relayd_configuration(), "remote_host"});
  }
  SECTION("private_keys_dir") {
    idle.relay.patch_keyd({{"private_keys_dir", nullptr}});
    check_refused(idle.relay.run_keyd(), {idle.relay.keyd_configuration(), "private_keys_dir"});
  }
}

TEST_CASE("bad input: a private_keys_dir that is not a directory stops keyd") {
  Idle idle;
  const auto path = idle.world.directory / "a-file";
  write_file(path, "x");
  idle.relay.patch_keyd({{"private_keys_dir", path}});
  check_refused(idle.relay.run_keyd(), {"private_keys_dir", path});
}

TEST_CASE("bad input: an unusable listener key is reported") {
  Idle idle;
  const auto path = idle.world.directory / "broken.key";
  write_file(path, "garbage");
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  if (geteuid() == 0) REQUIRE(chown(path.c_str(), keyd_user, keyd_user) == 0);
  idle.relay.patch_keyd({{"listener_keyfile", path}});
  check_refused(idle.relay.run_keyd(), {"listener_keyfile", path});
}

TEST_CASE("keyd starts without a listener key, says how to install it, and uses it once it exists") {
  Idle idle;
  const auto key = idle.world.directory / "relay/listener.key";
  fs::rename(key, idle.world.directory / "aside.key");
  idle.relay.start_keyd();
  const auto is_warning = [](const Json& j) { return j.value("level", "") == "warning" && j.contains("do"); };
  const auto warned = idle.relay.keyd().err().json(is_warning);
  REQUIRE(warned.size() == 1);
  CHECK(warned[0].at("file") == key.string());
  CHECK(warned[0].at("do").get<std::string>().find("-m 600 LISTENER.key '" + key.string() + "'") != std::string::npos);
  const auto refused = idle.relay.run_relayd();
  check_refused(refused, {"listener.certfile", "keyd has no private key for it", "install -o mqtt-keyd -m 600"});
  CHECK(refused.status.code == 78);

  fs::rename(idle.world.directory / "aside.key", key);
  idle.relay.start_relayd();
  idle.world.device(device_identity("p256", 1)).join("local").ping();
}

TEST_CASE("bad input: an unknown user in allowed_users is named") {
  Idle idle;
  idle.relay.patch_keyd({{"allowed_users", {"no-such-user-at-all"}}});
  check_refused(idle.relay.run_keyd(), {idle.relay.keyd_configuration(), "allowed_users", "no-such-user-at-all"});
}

TEST_CASE("an unconfigured relayd names everything that is missing, and the next step, in one line") {
  Idle idle;
  const auto etc = idle.world.directory / "etc";
  fs::create_directory(etc);
  const auto file = [&](const std::string& name) { return (etc / name).string(); };
  idle.relay.patch_relayd({{"remote_host", nullptr},
                           {"listener", {{"certfile", file("listener.pem")}, {"cacertfile", file("device-ca.pem")}}},
                           {"remote", {{"cacertfile", file("remote-ca.pem")}}}});
  const auto finished = idle.relay.run_relayd();
  check_refused(finished, {"missing: remote_host, listener.certfile (there is no " + file("listener.pem") + ")",
                           ", listener.cacertfile (there is no " + file("device-ca.pem") + ")",
                           ", remote.cacertfile (there is no " + file("remote-ca.pem") + ")", "mqtt-relay init",
                           "mqtt-relay check"});
  CHECK(finished.status.code == 78);
#if !defined(MQTT_RELAY_SANITIZED)  // where a line about the weaker sandbox comes first
  CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
#endif

  // Files that exist, and settings that are optional, are not listed as missing.
  for (const auto& name : {"listener.pem", "device-ca.pem", "remote-ca.pem"})
    fs::copy_file(device_identity("p256", 1).certificate, file(name));
  check_refused(idle.relay.run_relayd(), {"missing: remote_host; "});
  // Any other mistake is still reported first, in its usual words.
  idle.relay.patch_relayd({{"workers", 0}});
  check_refused(idle.relay.run_relayd(), {"workers: found 0 (number)"});
}

TEST_CASE("bad input: a listener certificate that is missing, garbage or does not match its key is reported") {
  Idle idle;
  idle.relay.start_keyd();
  const auto path = idle.world.directory / "other.pem";
  SECTION("missing") {}
  SECTION("garbage") { write_file(path, "garbage"); }
  SECTION("another key's") { fs::copy_file(device_identity("p256", 1).certificate, path); }
  SECTION("another key's, of another type") { fs::copy_file(device_identity("rsa2048", 1).certificate, path); }
  idle.relay.patch_relayd({{"listener", {{"certfile", path}}}});
  check_refused(idle.relay.run_relayd(), {"listener.certfile", path});
}

TEST_CASE("bad input: a CA file that is missing, garbage or empty is reported") {
  Idle idle;
  idle.relay.start_keyd();
  const auto path = idle.world.directory / "authorities.pem";
  const std::string section = GENERATE("listener", "remote");
  SECTION("missing") {}
  SECTION("garbage") { write_file(path, "garbage"); }
  SECTION("empty") { write_file(path, ""); }
  idle.relay.patch_relayd({{section, {{"cacertfile", path}}}});
  check_refused(idle.relay.run_relayd(), {section + ".cacertfile", path});
}
