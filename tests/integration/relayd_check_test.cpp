// `mqtt-relay check relayd`, run with the shipped program. Each check passes on a correct setup; on a broken one it
// fails with a remedy, and agrees with relayd itself.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_paths.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/verdict.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A world for the tests to break. Of relayd it has only the files that the checks read.
struct Machine {
  explicit Machine(const WorldOptions& options = {.local = false, .start = false}) : world(options) {}

  Relay& relay() { return world.relay(); }
  fs::path certificate(const std::string& name) { return world.directory / "relay/certificates" / name; }

  Finished run_check(const std::vector<std::string>& more = {"--json"}, bool as_relay_user = true) {
    auto command = relay().operator_command({"check", "relayd", "--config", relay().relayd_configuration()});
    command.before_exec = before_exec;
    command.argv.insert(command.argv.end(), more.begin(), more.end());
    if (as_relay_user && geteuid() == 0) command.user = relay_user;
    return run(command);
  }
  Json report() {
    last = run_check();
    REQUIRE(last.status.signal == 0);
    return Json::parse(last.out);
  }
  Json check(const std::string& name) {
    const Json all = report();
    for (const auto& item : all.at("checks"))
      if (item.at("name") == name) return item;
    throw Failure("there is no check named " + name);
  }

  World world;
  Finished last;
  std::function<bool()> before_exec;
};

void expect(const Json& check, const std::string& result, const std::vector<std::string>& found,
            const std::string& fix = "") {
  INFO(check.dump(2));
  CHECK(check.at("result") == result);
  std::string text = check.at("found").get<std::string>();
  for (const auto& detail : check.value("details", std::vector<std::string>())) text += "\n" + detail;
  for (const auto& part : found) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(check.at("fix").get<std::string>().find(fix) != std::string::npos);
  if (result == "error" || result == "warning") CHECK(check.at("fix") != "");
}

}  // namespace

TEST_CASE("check of relayd: a correct setup has no errors, in TLS 1.2 or 1.3, though the broker wants a certificate",
          "[relayd-check]") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  Machine machine({.local = false, .remote_version = version, .start = false});
  machine.relay().start_keyd();
  const auto report = machine.report();
  INFO(report.dump(2));
#if !defined(MQTT_RELAY_SANITIZED)  // a sanitizer's runtime warns about fibers
  CHECK(machine.last.err == "");
#endif
  CHECK(machine.last.status.code == 0);
  CHECK(report.at("errors") == 0);
  CHECK(report.at("checks").size() == 18);
  for (const auto& item : report.at("checks")) CHECK(item.at("result") != "error");
  expect(machine.check("remote"), "ok", {"\"remote\" verifies for " + own_address(), "valid until"});
  expect(machine.check("remote-name"), "ok", {own_address(), own_address() + ":18883"});
  expect(machine.check("listener-key"), "ok", {"listener.pem"});
  expect(machine.check("listener-address"), "ok", {"is free"});

  const auto text = machine.run_check({});
  CHECK(text.out.find("ok       remote-name ") != std::string::npos);
  CHECK(text.out.find("0 errors, ") != std::string::npos);
  CHECK(machine.run_check({"--jsno"}).status.code == 64);
}

TEST_CASE("check of relayd: it finds errors in the configuration", "[relayd-check]") {
  Machine machine;
  machine.relay().patch_relayd({{"wrokers", 1}});
  const auto report = machine.report();
  CHECK(machine.last.status.code == 1);
  expect(report.at("checks").at(0), "error", {"wrokers: unknown key"}, "editor");
  for (const auto& item : report.at("checks"))
    if (item.at("name") != "configuration") expect(item, "skipped", {"needs a configuration"});
}

TEST_CASE("check of relayd: it lists everything that is not yet set up, each with the command to run",
          "[relayd-check]") {
  Machine machine;
  const auto path = [&](const std::string& name) { return (machine.world.directory / "relay" / name).string(); };
  machine.relay().patch_relayd({{"remote_host", nullptr},
                                {"listener", {{"certfile", path("l.pem")}, {"cacertfile", path("d.pem")}}},
                                {"remote", {{"cacertfile", path("r.pem")}}}});
  expect(machine.check("configuration"), "error", {"remote_host is not set"}, "mqtt-relay init");
  expect(machine.check("listener-certificate"), "error", {"No such file"},
         "install -m 644 CERTIFICATES.pem '" + path("l.pem") + "'");
  expect(machine.check("device-authorities"), "error", {"No such file"}, "install -m 644");
  expect(machine.check("remote-authorities"), "error", {"No such file"}, "install -m 644");
  expect(machine.check("keyd"), "error", {"sign.sock", "No such file"}, "systemctl start mqtt-keyd");
  expect(machine.check("listener-key"), "skipped", {"see keyd"});
  expect(machine.check("remote-name"), "skipped", {"remote_host"});
  expect(machine.check("remote"), "skipped", {"remote-name"});
  CHECK(machine.last.status.code == 1);
}

TEST_CASE("check of relayd: it tries the local broker, with TLS and without", "[relayd-check]") {
  Machine machine;
  expect(machine.check("local-broker"), "skipped", {"local is not set"});
  const auto local = [&](uint16_t port, const Json& tls) {
    machine.relay().patch_relayd({{"local", {{"host", own_address()}, {"port", port}, {"tls", tls}}}});
    return machine.check("local-broker");
  };
  expect(local(ports::unused, nullptr), "error", {"no connection", "refused"}, "start the local broker");
  const Mosquitto plain({.listen = {own_address(), ports::local}}, machine.world.directory / "plain");
  expect(local(ports::local, nullptr), "ok", {"accepts TCP connections"});

  constexpr uint16_t kTls = 11884;
  const auto server = server_identity("local", "p256", machine.world.directory.path());
  const Mosquitto wanting({.listen = {own_address(), kTls}, .server = server}, machine.world.directory / "wanting");
  const auto trusted = machine.certificate("root.pem").string();
  expect(local(kTls, {{"cacertfile", trusted}}), "warning",
         {"it asks for a client certificate, and local.tls.certfile is not set"}, "local_keyfile");
  const auto own = machine.certificate("own.pem");
  write_file(own, read_file(device_identity("p256", 7).certificate));
  expect(local(kTls, {{"cacertfile", trusted}, {"certfile", own}}), "ok",
         {"verifies for " + own_address(), "which this check does not show"});
  write_file(own, read_file(expired_device("p256").certificate));
  expect(local(kTls, {{"cacertfile", trusted}, {"certfile", own}}), "warning", {"ends on"}, "install a new one");
  expect(local(ports::local, {{"certfile", nullptr}}), "error", {"TLS failed"}, "openssl s_client");
}

TEST_CASE("check of relayd: it finds a bad listener certificate", "[relayd-check]") {
  Machine machine;
  const auto file = machine.certificate("listener.pem");
  const auto good = read_file(file);
  const auto check = [&](const std::string& text) {
    write_file(file, text);
    return machine.check("listener-certificate");
  };
  const auto device = read_file(device_identity("p256", 1).certificate);  // with its issuer
  expect(check(device), "ok", {"\"p256-1\", valid until", "with 1 issuer"});
  expect(check(good + device), "error", {"it is not a chain", "\"listener\" was not issued by \"p256-1\""},
         "cat LISTENER.pem");
  expect(check(read_file(expired_device("p256").certificate)), "error", {"has expired on"}, "NEW-CHAIN.pem");
  expect(check("garbage"), "error", {"listener.certfile", "BEGIN CERTIFICATE"});
  if (geteuid() != 0) {
    WARN("SKIPPED: the rest needs root");
    return;
  }
  write_file(file, good);
  REQUIRE((chown(file.c_str(), 0, 0) == 0 && chmod(file.c_str(), 0600) == 0));
  expect(machine.check("listener-certificate"), "error", {"Permission denied"}, "chmod 644 '" + file.string() + "'");
}

TEST_CASE("check of relayd: it finds bad CA files and CRLs", "[relayd-check]") {
  Machine machine;
  const auto device_ca = machine.certificate("devices.pem"), crl = machine.certificate("devices.crl");
  const auto ca = read_file(authorities().device_ca);
  write_file(device_ca, read_file(authorities().root) + ca);
  machine.relay().patch_relayd({{"listener", {{"cacertfile", device_ca}, {"crlfile", crl}}}});
  const auto device = device_identity("p256", 1);
  write_crl(crl, {device});
  expect(machine.check("device-authorities"), "ok", {"2 certificates"});
  expect(machine.check("revocation-lists"), "ok", {"1 CRL"});
  fs::remove(crl);
  write_crl(crl, {device}, /*expired=*/true);
  expect(machine.check("revocation-lists"), "error", {"1 CRL; devices are refused"}, "openssl crl");
  write_file(device_ca, read_file(authorities().root));
  expect(machine.check("revocation-lists"), "error", {"1 CRL; devices are refused"}, "openssl crl");
  // An expired one does not block the others; an unreadable one is reported, because its subject is unknown.
  write_file(device_ca, ca + read_file(expired_device("p256").certificate));
  expect(machine.check("device-authorities"), "warning", {"3 certificates", "expired on"});
  write_file(device_ca, ca + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  expect(machine.check("device-authorities"), "error", {"\"CERTIFICATE\" can't be read"}, "CERTIFICATES.pem");
  write_file(device_ca, "garbage");
  expect(machine.check("device-authorities"), "error", {"listener.cacertfile"});
  expect(machine.check("revocation-lists"), "skipped", {"device-authorities"});
  machine.relay().patch_relayd({{"remote", {{"verify", "verify_none"}}}});
  expect(machine.check("remote-authorities"), "warning", {"any server"}, "verify_peer");
}

TEST_CASE("check of relayd: it asks keyd as a worker does, and reports what fails", "[relayd-check]") {
  Machine machine;
  SECTION("keyd has another listener key") {
    write_file(machine.certificate("listener.pem"), read_file(device_identity("p256", 1).certificate));
    machine.relay().start_keyd();
    expect(machine.check("listener-key"), "error", {"does not match keyd's listener_keyfile"}, "openssl pkey");
  }
  SECTION("keyd has no listener key") {
    fs::remove(machine.world.directory / "relay/listener.key");
    machine.relay().start_keyd();
    expect(machine.check("listener-key"), "error", {"has no private key for it"}, "install -o mqtt-keyd -m 600");
  }
  SECTION("keyd does not allow this user") {
    machine.relay().patch_keyd({{"allowed_users", {"64999"}}});
    machine.relay().start_keyd();
    expect(machine.check("keyd"), "error", {"keyd refuses "}, "allowed_users");
    expect(machine.check("listener-key"), "skipped", {"see keyd"});
  }
}

TEST_CASE("check of relayd: it finds a broker that is unreachable or the wrong one", "[relayd-check]") {
  TempDir directory;
  SECTION("the name does not exist") {
    Machine machine({.remote = RemoteKind::none, .local = false, .start = false});
    machine.relay().patch_relayd({{"remote_host", "no-such-host.invalid"}});
    expect(machine.check("remote-name"), "error", {"no-such-host.invalid can't be resolved"}, "getent ahosts");
    expect(machine.check("remote"), "skipped", {"remote-name"});
  }
  SECTION("nothing listens at the port") {
    Machine machine({.remote = RemoteKind::none, .local = false, .start = false});
    expect(machine.check("remote"), "error", {"no connection", "Connection refused"}, "openssl s_client -connect");
  }
  SECTION("the remote is silent") {
    Machine machine({.remote = RemoteKind::captured, .local = false, .start = false});
    machine.relay().patch_relayd({{"remote", {{"connect_timeout", "300ms"}}}});
    expect(machine.check("remote"), "error", {"no answer to the TLS handshake in 300 ms"});
  }
  SECTION("another authority signed the certificate") {
    const auto impostor = server_identity("impostor", "p256", "IP:" + own_address(), directory.path(), true);
    Machine machine({.local = false, .remote_server = impostor, .start = false});
    expect(machine.check("remote"), "error", {own_address() + ":18883"}, "remote.cacertfile");
    machine.relay().patch_relayd({{"remote", {{"verify", "verify_none"}}}});
    expect(machine.check("remote"), "ok", {"not verified"});
  }
  SECTION("the certificate is for another name") {
    const auto other = server_identity("other", "p256", "DNS:other.test", directory.path());
    const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
    Machine machine({.local = false, .remote_version = version, .remote_server = other, .start = false});
    expect(machine.check("remote"), "error", {"is for DNS:other.test, not for"}, "server_name_indication");
    machine.relay().patch_relayd({{"remote", {{"server_name_indication", "other.test"}}}});
    expect(machine.check("remote"), "ok", {"verifies for other.test"});
  }
}

TEST_CASE("check of relayd: it finds a source address that this machine does not have", "[relayd-check]") {
  Machine machine;
  expect(machine.check("source-addresses"), "skipped", {"remote.bind is not set"});
  machine.relay().patch_relayd({{"remote", {{"bind", {"127.0.0.5", "127.0.0.6"}}}}});
  expect(machine.check("source-addresses"), "ok", {"all 2 are this machine's"});
  expect(machine.check("remote"), "ok", {"TLS"});
  machine.relay().patch_relayd({{"remote", {{"bind", {"127.0.0.5", "192.0.2.77"}}}}});
  expect(machine.check("source-addresses"), "error", {"192.0.2.77: Cannot assign requested address"}, "`ip address`");
}

TEST_CASE("check of relayd: with several remote brokers it tries each, and names the one that is wrong",
          "[relayd-check]") {
  Machine machine;
  const std::string second = own_address() + ":" + std::to_string(ports::direct);
  machine.relay().patch_relayd(
      {{"remote_host", nullptr}, {"remote_hosts", {own_address() + ":18883", second, "no-such-host.invalid"}}});
  expect(machine.check("remote-name"), "error",
         {"2 of 3 remote brokers are good", "no-such-host.invalid: no-such-host.invalid can't be resolved"},
         "no-such-host.invalid: `getent ahosts");
  expect(machine.check("remote"), "error",
         {"1 of 3 remote brokers is good", ":18883: its certificate \"remote\" verifies", "no connection: " + second},
         "nothing listens on port " + std::to_string(ports::direct));
  machine.relay().patch_relayd(
      {{"remote_hosts",
        {own_address() + ":18883", {{"host", own_address()}, {"port", ports::direct}, {"cacertfile", "/none.pem"}}}}});
  expect(machine.check("remote-authorities"), "error", {"1 of 2 files is good", "remote_hosts[1].cacertfile"},
         "install the certificates");
}

TEST_CASE("check of relayd: it finds a listener address that cannot be bound", "[relayd-check]") {
  Machine machine;
  {
    const TakenPort taken(machine.relay().endpoint());
    expect(machine.check("listener-address"), "skipped", {"is in use"}, "ss -ltnp 'sport = :8883'");
  }
  machine.relay().patch_relayd({{"listener", {{"bind", "192.0.2.1:8883"}}}});
  expect(machine.check("listener-address"), "error", {"192.0.2.1:8883", "ip address"}, "listener.bind");
}

TEST_CASE("check of relayd: it finds a descriptor limit too low for max_connections", "[relayd-check]") {
  Machine machine;
  machine.before_exec = [] {
    const rlimit few{200, 200};
    return setrlimit(RLIMIT_NOFILE, &few) == 0;
  };
  expect(machine.check("open-files"), "ok", {"200, some 68 devices"});
  machine.relay().patch_relayd({{"listener", {{"max_connections", 1000}}}});
  expect(machine.check("open-files"), "warning", {"but listener.max_connections is 1,000"}, "LimitNOFILE=2064");
  machine.relay().start_keyd();
  CHECK(machine.run_check({}).status.code == 0);
  CHECK(machine.run_check({"--warnings-as-errors"}).status.code == 2);
}

TEST_CASE("check of relayd: it works beside a running relayd, as relayd's user", "[relayd-check]") {
  const TempDir directory;
  fs::permissions(directory.path(), fs::perms::all);
  Machine machine({.relayd = {{"control_socket", directory / "control.sock"}}, .local = false});
  const auto pid = std::to_string(machine.relay().relayd().pid());
  expect(machine.check("listener-address"), "ok", {"relayd is running, pid " + pid});
  expect(machine.check("open-files"), "ok", {"limit of relayd"});
  if (geteuid() != 0) {
    WARN("SKIPPED: the rest needs root");
    return;
  }
  const auto as_root = machine.run_check({"--json"}, /*as_relay_user=*/false);
  INFO(as_root.out << as_root.err);
  CHECK(as_root.status.code == 0);
  expect(Json::parse(as_root.out).at("checks").at(1), "ok", {"started by root", std::to_string(relay_user)});
}

TEST_CASE("after init and the next steps that it prints, check finds no errors and relayd starts", "[relayd-init]") {
  Machine machine;
  auto& relay = machine.relay();
  const auto config = relay.relayd_configuration().string();
  const auto remote = machine.world.remote->endpoint().text(), root = authorities().root.string();
  fs::remove(config);
  const auto init = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"init", "--config", config, "--remote", remote, "--remote-ca", root});
    return run(relay.operator_command(more));
  };
  const auto incomplete = init({});
  CHECK(incomplete.status.code == 64);
  CHECK(incomplete.err.find("mqtt-relay init: --device-ca is missing") == 0);
  CHECK_FALSE(fs::exists(config));
  const std::vector<std::string> all = {"--device-ca", root, "--bind", relay.endpoint().text()};
  const auto done = init(all);
  INFO(done.out << done.err);
  REQUIRE(done.status.code == 0);
  const auto again = init(all);
  CHECK(again.status.code == 78);
  CHECK(again.err.find("remote_host is set already") != std::string::npos);

  const auto etc = machine.world.directory / "relay";
  fs::copy_file(machine.certificate("listener.pem"), etc / "listener.pem");
  // In the tests the sockets are not below /run.
  auto written = Json::parse(read_file(config), nullptr, true, /*ignore_comments=*/true);
  written.merge_patch({{"keyd_socket", etc / "run/sign.sock"}, {"control_socket", nullptr}});
  write_file(config, written.dump());
  relay.start_keyd();
  const auto report = machine.report();
  INFO(report.dump(2));
  CHECK(report.at("errors") == 0);
  relay.start_relayd();
  machine.world.device(device_identity("p256", 1)).join("local").ping();
}

TEST_CASE("each program's --version names wolfSSL and its hash", "[relayd-init]") {
  for (const std::string name : {"relayd", "keyd", "mqtt-relay"}) {
    const auto finished = run({.argv = {fs::path(MQTT_RELAY_PROGRAMS) / name, "--version"}});
    CHECK(finished.status.code == 0);
    CHECK(finished.out.starts_with((name.starts_with("mqtt-") ? "" : "mqtt-") + name +
                                   " " MQTT_RELAY_VERSION "\nwolfSSL "));
    CHECK(finished.out.find("sha256 ") != std::string::npos);
  }
}
