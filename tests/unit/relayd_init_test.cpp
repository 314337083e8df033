// `mqtt-relay init`: three answers make a working configuration, and no file of the operator's is lost or exposed.
#include "relayd/admin/init.h"

#include <sstream>

#include "common/program.h"
#include "common/version.h"
#include "keyd/startup/settings.h"
#include "keyd_support.h"
#include "relayd/handover/plan.h"
#include "relayd/supervisor/config_file.h"
#include "test_paths.h"

using namespace relayd;
using namespace relayd::admin;
using keyd_test::ScratchDir;
using keyd_test::slurp;

namespace {

constexpr char kShipped[] = MQTT_RELAY_SHIPPED_CONFIGURATIONS "/relayd.json";

// The operator's files in one directory, the configuration in another.
struct Setup {
  Setup() {
    for (const char* directory : {"etc", "home"}) std::filesystem::create_directory(scratch / directory);
    options.config = scratch / "etc/relayd.json";
    options.remote = "broker.example";
    options.remote_ca = scratch.put("home/remote.pem", remote_ca);
    options.device_ca = scratch.put("home/devices.pem", device_ca);
  }
  // Returns what init printed.
  std::string run(const std::string& answers = "") {
    std::istringstream in(answers);
    std::ostringstream out;
    init(options, in, out);
    return out.str();
  }
  template <typename Error>
  std::string error(const std::string& answers = "") {
    try {
      run(answers);
    } catch (const Error& found) {
      return found.what();
    }
    return "no error of that kind";
  }
  Config written() const { return parse_config(slurp(options.config), options.config, {}); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(scratch / "etc"))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  witness::Key key = witness::Key::generate("P-256");
  std::string remote_ca = witness::certificate(key), device_ca = witness::certificate(witness::Key::generate("P-384"));
  ScratchDir scratch;
  InitOptions options;
};

bool has(const std::string& text, const std::string& part) {
  INFO(text << "\nmust have: " << part);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the shipped configurations lack only remote_host", "[relayd-init]") {
  const std::string text = slurp(kShipped);
  const Config config = parse_config(text, kShipped, {});
  CHECK(config.brokers.empty());
  CHECK(config.remote.cacertfile == "/etc/mqtt-relay/remote-ca.pem");
  CHECK(config.listeners.front().certfiles.front() == "/etc/mqtt-relay/listener.pem");
  CHECK(config.listeners.front().cacertfile == "/etc/mqtt-relay/device-ca.pem");
  CHECK(config.control_socket == "/run/mqtt-relay/control.sock");
  CHECK(parse_config(text, kShipped, {"broker.example", {}, {}}).brokers[0].at.port == 8883);

  std::string keyd = slurp(MQTT_RELAY_SHIPPED_CONFIGURATIONS "/keyd.json");
  const std::string user = "\"mqtt-relay\"";
  REQUIRE(has(keyd, user));
  keyd.replace(keyd.find(user), user.size(), "\"64999\"");  // this machine has no such user
  const ScratchDir scratch;
  const auto settings = keyd::load_settings(scratch.put("keyd.json", keyd), {});
  CHECK(settings.private_keys_dir.path == "/etc/mqtt-relay/keys");
  CHECK(settings.listener_keyfiles.front().path == "/etc/mqtt-relay/listener.key");
  CHECK(settings.socket.path == config.keyd_socket);
}

TEST_CASE("what config print-default prints means the same as the shipped configurations", "[relayd-init]") {
  const auto packed = [](const std::string& file) {
    relayd::Plan plan;
    plan.config = parse_config(slurp(file), file, {});
    return common::read_sealed(plan.to_memfd().get());
  };
  const std::string defaults = MQTT_RELAY_SOURCE_DIR "/packaging/config/";
  CHECK(packed(defaults + "relayd.default.json") == packed(kShipped));

  const auto keyd = [](const std::string& file) {
    std::string text = slurp(file);
    const std::string user = "\"mqtt-relay\"";
    const ScratchDir scratch;
    return keyd::load_settings(scratch.put("keyd.json", text.replace(text.find(user), user.size(), "\"64999\"")), {});
  };
  const auto ours = keyd(defaults + "keyd.default.json");
  const auto shipped = keyd(MQTT_RELAY_SHIPPED_CONFIGURATIONS "/keyd.json");
  CHECK(ours.key_rate == shipped.key_rate);
  CHECK(ours.worker_rate == shipped.worker_rate);
  CHECK(ours.presence_window == shipped.presence_window);
  CHECK(ours.key_cache == shipped.key_cache);
  CHECK(ours.max_connections == shipped.max_connections);
  CHECK(ours.max_queue == shipped.max_queue);
  CHECK(ours.audit_file->path == shipped.audit_file->path);
  CHECK(ours.require_presence == shipped.require_presence);
  CHECK(ours.allow_tls12_client == shipped.allow_tls12_client);
}

TEST_CASE("init: what it writes is a configuration, with certificates where the service can read them",
          "[relayd-init]") {
  Setup setup;
  umask(0077);
  const std::string printed = setup.run();
  umask(0022);
  const Config config = setup.written();
  CHECK(config.brokers.at(0).at == Config::Endpoint{"broker.example", 8883});
  CHECK(config.listeners.front().bind == Config::Endpoint{"0.0.0.0", 8883});
  CHECK_FALSE(config.local);
  CHECK(config.remote.cacertfile == setup.scratch / "etc/remote-ca.pem");
  CHECK(config.listeners.front().cacertfile == setup.scratch / "etc/device-ca.pem");
  CHECK(config.listeners.front().certfiles.front() == setup.scratch / "etc/listener.pem");
  CHECK(slurp(config.remote.cacertfile) == setup.remote_ca);
  CHECK(slurp(config.listeners.front().cacertfile) == setup.device_ca);
  CHECK(setup.files() == Names{"device-ca.pem", "relayd.json", "remote-ca.pem"});
  for (const auto& file : setup.files()) {
    struct stat info {};
    REQUIRE(stat((setup.scratch / ("etc/" + file)).c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0644);
  }
  has(printed, "install -m 644 LISTENER-CHAIN.pem '" + config.listeners.front().certfiles.front() + "'");
  has(printed, "install -o mqtt-keyd -m 600 LISTENER.key '" + (setup.scratch / "etc/listener.key") + "'");
  has(printed, "mqtt-relay check\n    systemctl start mqtt-relayd\n");
}

TEST_CASE("init: every flag", "[relayd-init]") {
  Setup setup;
  setup.options.remote = "[2001:db8::1]:1884";
  setup.options.bind = "192.0.2.1:8884";
  setup.options.local = "localhost";
  setup.options.listener_certificate = setup.scratch.put("home/chain.pem", setup.remote_ca);
  const std::string printed = setup.run();
  const Config config = setup.written();
  CHECK(config.brokers.at(0).at == Config::Endpoint{"2001:db8::1", 1884});
  CHECK(config.listeners.front().bind == Config::Endpoint{"192.0.2.1", 8884});
  REQUIRE(config.local);
  CHECK(config.local->broker == Config::Endpoint{"localhost", 1883});
  CHECK(slurp(setup.scratch / "etc/listener.pem") == setup.remote_ca);
  CHECK(printed.find("LISTENER-CHAIN") == std::string::npos);

  for (const auto& [text, host, port] : {std::tuple{"b.example:1", "b.example", 1},
                                         {"2001:db8::2", "2001:db8::2", 8883},
                                         {"192.0.2.9", "192.0.2.9", 8883},
                                         {"[::1]", "::1", 8883}}) {
    INFO(text);
    setup.options.force = true;
    setup.options.remote = text;
    setup.run();
    CHECK(setup.written().brokers.at(0).at == Config::Endpoint{host, static_cast<uint16_t>(port)});
  }
}

TEST_CASE("init: a wrong answer is named by its flag, and nothing is written", "[relayd-init]") {
  for (const char* host :
       {"", "mqtts://b.example", "b.example:0", "b.example:70000", "b.example:x", "a b", "::1:8883:x", "[]"}) {
    INFO(host);
    Setup setup;
    setup.options.remote = host;
    has(setup.error<common::ConfigError>(), "--remote: found \"" + std::string(host) + "\"; expected HOST");
    CHECK(setup.files().empty());
  }
  Setup setup;
  SECTION("no such file") {
    setup.options.remote_ca = "/nonexistent.pem";
    has(setup.error<common::ConfigError>(), "--remote-ca: /nonexistent.pem: can't be read: No such file");
  }
  SECTION("no certificate") {
    setup.options.device_ca = setup.scratch.put("home/none.pem", "garbage");
    has(setup.error<common::ConfigError>(), "--device-ca: ");
  }
  SECTION("a private key beside the certificate") {
    setup.options.listener_certificate =
        setup.scratch.put("home/both.pem", setup.remote_ca + setup.key.text(witness::Form::pkcs8));
    has(setup.error<common::ConfigError>(), "--listener-certificate: ");
    has(setup.error<common::ConfigError>(), "both.pem: it contains a private key");
  }
  SECTION("no address") {
    setup.options.bind = "8883";
    has(setup.error<common::ConfigError>(), "listener.bind: found \"8883\"");
  }
  SECTION("no terminal") {
    setup.options.device_ca.reset();
    has(setup.error<MissingAnswer>("home/devices.pem\n"), "--device-ca is missing: PEM file of the CAs");
  }
  CHECK(setup.files().empty());
}

TEST_CASE("init: on a terminal it asks, and asks again", "[relayd-init]") {
  Setup setup;
  const std::string remote_ca = *setup.options.remote_ca, device_ca = *setup.options.device_ca;
  setup.options.remote.reset(), setup.options.remote_ca.reset(), setup.options.device_ca.reset();
  setup.options.terminal = true;
  const std::string printed =
      setup.run("what is this\n broker.example:8884 \n/nonexistent.pem\n\n" + remote_ca + "\n" + device_ca + "\n");
  CHECK(setup.written().brokers.at(0).at == Config::Endpoint{"broker.example", 8884});
  CHECK(slurp(setup.written().listeners.front().cacertfile) == setup.device_ca);
  has(printed, "found \"what is this\"; expected HOST");
  has(printed, "No such file");
  has(printed, "found nothing");

  Setup left;
  left.options.remote_ca.reset();
  left.options.terminal = true;
  has(left.error<MissingAnswer>("/nonexistent.pem\n"), "nothing was written");
  CHECK(left.files().empty());
}

TEST_CASE("init: an operator's settings are replaced only with --force, and then kept in a copy", "[relayd-init]") {
  Setup setup;
  std::filesystem::copy_file(kShipped, setup.options.config);
  setup.run();
  CHECK(setup.files() == Names{"device-ca.pem", "relayd.json", "remote-ca.pem"});  // the shipped file is not kept
  const std::string before = slurp(setup.options.config);

  setup.options.remote = "other.example";
  has(setup.error<common::ConfigError>(), "remote_host is set already, to \"broker.example\"; --force");
  CHECK(slurp(setup.options.config) == before);
  setup.options.force = true;
  setup.run();
  CHECK(setup.written().brokers.at(0).at.host == "other.example");
  CHECK(slurp(setup.options.config + ".old") == before);
  setup.options.remote = "third.example";
  setup.run();
  has(slurp(setup.options.config + ".old"), "other.example");

  // A file that can't be parsed may be the operator's work, too.
  setup.options.force = false;
  setup.scratch.put("etc/relayd.json", "{ \"remote_host\": ");
  has(setup.error<common::ConfigError>(), "--force replaces it");
  // Edited, but without a remote_host: nothing is lost.
  setup.scratch.put("etc/relayd.json", slurp(kShipped) + "// mine\n");
  setup.run();
  has(slurp(setup.options.config + ".old"), "// mine");
}

TEST_CASE("init: another authority's file is replaced only with --force, and then kept in a copy", "[relayd-init]") {
  Setup setup;
  setup.scratch.put("etc/device-ca.pem", setup.remote_ca);
  has(setup.error<common::ConfigError>(), "etc/device-ca.pem: the file exists with other content; --force");
  CHECK(setup.files() == Names{"device-ca.pem"});
  setup.options.force = true;
  setup.run();
  CHECK(slurp(setup.scratch / "etc/device-ca.pem") == setup.device_ca);
  CHECK(slurp(setup.scratch / "etc/device-ca.pem.old") == setup.remote_ca);
  // Already in its place: no copy is needed.
  setup.options.device_ca = setup.scratch / "etc/device-ca.pem";
  setup.run();
  CHECK(slurp(setup.scratch / "etc/device-ca.pem.old") == setup.remote_ca);
}

TEST_CASE("init: a folder that can't be written is named", "[relayd-init]") {
  Setup setup;
  setup.options.config = setup.scratch / "none/relayd.json";
  has(setup.error<std::system_error>(), "none/remote-ca.pem can't be written: No such file or directory");
}

TEST_CASE("a program's version names the TLS library that is compiled in", "[relayd-init]") {
  const std::string version = common::version_of("mqtt-relayd");
  has(version, "mqtt-relayd " MQTT_RELAY_VERSION "\nwolfSSL 5.");
  const size_t hash = version.find(" (static, sha256 ") + 17;
  CHECK(version.find_first_not_of("0123456789abcdef", hash) == hash + 64);
  has(version, "\nLicence GPL-3.0-or-later");
}

TEST_CASE("init: certificates of the system are used where they are, a link to them from elsewhere is not",
          "[relayd-init]") {
  const char system[] = "/etc/ssl/certs/ca-certificates.crt";
  if (!std::filesystem::exists(system)) {
    WARN("SKIPPED: this machine has no " << system);
    return;
  }
  Setup setup;
  setup.options.remote_ca = system;
  std::filesystem::create_symlink(system, setup.scratch / "home/link.pem");
  setup.options.device_ca = setup.scratch / "home/link.pem";
  setup.run();
  CHECK(setup.written().remote.cacertfile == system);
  CHECK(setup.written().listeners.front().cacertfile == setup.scratch / "etc/device-ca.pem");
  CHECK(setup.files() == Names{"device-ca.pem", "relayd.json"});
}
