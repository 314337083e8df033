// `mqtt-relay check --client`: what it says of one device is what happens to that device.

#include <signal.h>

#include <future>

#include "tests/integration/harness/capturing_remote.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/haproxy.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr char kClient[] = "thermo";

struct Desk {
  explicit Desk(WorldOptions options = {}) : world(with_socket(std::move(options))) {}

  // As root, as an operator would.
  ProcessOptions command(const fs::path& certificate, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"check",           "--json",
                                   "--keyd-config",   world.relay().keyd_configuration(),
                                   "--relayd-config", world.relay().relayd_configuration(),
                                   "--client",        kClient};
    if (!certificate.empty()) words.insert(words.end(), {"--certificate", certificate});
    words.insert(words.end(), more.begin(), more.end());
    return world.relay().operator_command(words);
  }
  Json check(const fs::path& certificate, const std::vector<std::string>& more = {}) {
    last = run(command(certificate, more));
    INFO(last.err);
    REQUIRE(last.status.signal == 0);
    return Json::parse(last.out);
  }
  // The same, while the test plays the broker.
  void check_against(const std::function<void(TlsStream)>& broker, const std::vector<std::string>& more) {
    const auto identity = device_identity("p256", 1);
    world.give_key(kClient, identity);
    auto running = std::async(std::launch::async, [&] { return run(command(identity.certificate, more)); });
    broker(world.captured->accept());
    last = running.get();
  }
  void expect(const std::string& name, const std::string& result, const std::string& found, const std::string& fix = "",
              const std::string& daemon = "relayd") {
    const Json check = check_named(last, name, daemon);
    INFO(check.dump(2));
    CHECK(check.at("result") == result);
    std::string text = check.at("found").get<std::string>();
    for (const auto& detail : check.value("details", std::vector<std::string>())) text += "\n" + detail;
    CHECK(text.find(found) != std::string::npos);
    CHECK(check.at("fix").get<std::string>().find(fix) != std::string::npos);
  }
  std::vector<Json> audited(const std::string& event) {
    return world.relay().audit().json(
        [&](const Json& line) { return line.value("event", "") == event && line.value("client_id", "") == kClient; });
  }

  WorldOptions with_socket(WorldOptions options) const {
    fs::permissions(directory / "", fs::perms::all);  // relayd runs as another user
    options.relayd["control_socket"] = directory / "control.sock";
    return options;
  }

  const TempDir directory;
  World world;
  Finished last;
};

}  // namespace

TEST_CASE("check of a client: a device that gets through has no errors, in each version, with each kind of key",
          "[client-check][root]") {
  NEEDS_ROOT();
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  const bool bound = GENERATE(false, true);
  CAPTURE(version == TlsVersion::v1_3, bound);
  const Json keyd =
      bound ? Json{{"bind_remote", {{"remote_host", own_address()}, {"cacertfile", authorities().root.string()}}}}
            : Json::object();
  Desk desk({.keyd = keyd, .remote_version = version});
  for (const auto& type : key_types) {
    CAPTURE(type);
    const auto identity = device_identity(type, 1);
    desk.world.give_key(kClient, identity);
    const size_t before = desk.audited("sign").size();
    const Json report = desk.check(identity.certificate);
    INFO(report.dump(2));
    CHECK(desk.last.status.code == 0);
    CHECK(report.at("errors") == 0);
    desk.expect("key", "ok", "thermo.pem: ", "", "keyd");
    desk.expect("key-certificate", "ok", "is the key's", "", "keyd");
    desk.expect("certificate", "ok", identity.name);
    desk.expect("listener", "ok", "it accepts the device");
    desk.expect("presence", "ok", "keyd has the key, and takes a handshake");
    desk.expect("remote", "ok", "it accepts the device's certificate, as far as TLS shows");
    // The audit has it: asked by the operator's command, and one signature.
    const auto signs = desk.audited("sign");
    REQUIRE(signs.size() == before + 1);
    CHECK(signs.back().at("worker") == 0xfffe);
    CHECK(signs.back().at("result") == "ok");
    CHECK(desk.audited("lookup").back().at("worker") == 0xfffe);
  }
  CHECK(desk.world.remote->connections_of(kClient) == 0);  // no CONNECT
}

TEST_CASE(
    "check of a client: with --connect it says what the broker answers, and leaves the device's session as it was",
    "[client-check][root]") {
  NEEDS_ROOT();
  Desk desk;
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);

  SECTION("a session that the broker keeps is still there, with its messages") {
    const mqtt::Connect resuming{
        .client_id = kClient, .level = mqtt::v5, .clean = false, .properties = std::string("\x11\x00\x01\x51\x80", 5)};
    {
      auto device = desk.world.device(identity);
      REQUIRE(mqtt::connack_code(device.connect(resuming)) == 0);
      device.subscribe("any/command", 1);
      device.disconnect();
    }
    desk.world.remote->wait_gone(kClient);
    desk.world.direct(device_identity("p256", 2)).join("publisher").publish("any/command", "open", 1);
    desk.check(identity.certificate, {"--connect"});
    CHECK(desk.last.status.code == 0);
    desk.expect("remote", "ok", "it accepts the device's certificate, and its CONNECT");
    auto device = desk.world.device(identity);
    const auto connack = device.connect(resuming);
    CHECK(mqtt::connack_code(connack) == 0);
    CHECK(mqtt::session_present(connack));
    CHECK(device.next_message().payload == "open");
  }
  SECTION("none begins that was not there") {
    desk.check(identity.certificate, {"--connect"});
    desk.expect("remote", "ok", "it accepts the device's certificate, and its CONNECT");
    auto device = desk.world.device(identity);
    CHECK_FALSE(mqtt::session_present(device.connect({.client_id = kClient, .level = mqtt::v5, .clean = false})));
  }
}

TEST_CASE("check of a client: the broker's refusal is an error, with its words", "[client-check][root]") {
  NEEDS_ROOT();
  const auto identity = device_identity("p256", 1);

  SECTION("of the certificate, in the handshake or after it") {
    const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
    Desk desk({.remote_version = version, .remote_trusts = strange_authorities().root});
    desk.world.give_key(kClient, identity);
    desk.check(identity.certificate);
    CHECK(desk.last.status.code == 1);
    desk.expect("presence", "ok", "keyd has the key");
    desk.expect("remote", "error", "it refuses the device's certificate: ", "the issuer of the device's certificate");
  }
  SECTION("of the CONNECT") {
    Desk desk({.remote_passwords = "somebody:secret"});
    desk.world.give_key(kClient, identity);
    desk.check(identity.certificate, {"--connect"});
    desk.expect("remote", "error", "it refuses the device's CONNECT: 0x87, Not authorized",
                "without user name or password");
    CHECK(desk.last.status.code == 1);
  }
}

TEST_CASE("check of a client: what keeps a device away is found before the broker is asked", "[client-check][root]") {
  NEEDS_ROOT();
  const auto identity = device_identity("p256", 1);
  Desk desk;
  const auto not_tried = [&](const std::string& presence) {
    desk.expect("presence", "skipped", presence);
    desk.expect("remote", "ok", "not tried as the device");
    CHECK(desk.last.status.code == 1);
    CHECK(desk.audited("sign").empty());
  };

  SECTION("no key, but one of a similar name") {
    desk.world.give_key("Thermo", identity);
    desk.check(identity.certificate);
    desk.expect("key", "error",
                "there is no such file; the device stays local\nThermo.pem is the key of another client id",
                "keys import --as='thermo'", "keyd");
    not_tried("see key");
  }
  SECTION("a key that is not one") {
    desk.world.relay().give_file("thermo.pem", "no key");
    desk.check(identity.certificate);
    desk.expect("key", "error", "thermo.pem: ", "keys import --replace --as='thermo'", "keyd");
    not_tried("see key");
  }
  SECTION("a key that others can read") {
    desk.world.relay().give_file("thermo.pem", read_file(identity.key), 0644);
    desk.check(identity.certificate);
    desk.expect("key", "error", "mode 0644", "", "keyd");
    not_tried("see key");
  }
  SECTION("the key of another certificate") {
    desk.world.give_key(kClient, device_identity("p256", 2));
    desk.check(identity.certificate);
    desk.expect("key-certificate", "error", "it is for another key, SPKI ", "keys import --replace --as='thermo'",
                "keyd");
    not_tried("see key");
  }
  SECTION("a certificate of a CA that the listener does not know") {
    const auto strange = strange_device("p256");
    desk.world.give_key(kClient, strange);
    desk.check(strange.certificate);
    desk.expect("listener", "error", "it refuses the device: ", "");
    not_tried("see listener");
  }
  SECTION("an expired certificate") {
    const auto expired = expired_device("p256");
    desk.world.give_key(kClient, expired);
    desk.check(expired.certificate);
    desk.expect("certificate", "error", "expired on", "install the device's current chain");
    CHECK(desk.last.status.code == 1);
  }
  SECTION("keyd is away") {
    desk.world.give_key(kClient, identity);
    desk.world.relay().keyd().signal(SIGSTOP);
    desk.check(identity.certificate);
    desk.world.relay().keyd().signal(SIGCONT);
    desk.expect("keyd", "error", "keyd does not answer");
    desk.expect("presence", "skipped", "see keyd");
    CHECK(desk.last.status.code == 1);
  }
}

TEST_CASE("check of a client: a revoked certificate is refused by the listener, and the CRL's file is named",
          "[client-check][root]") {
  NEEDS_ROOT();
  TempDir directory;
  fs::permissions(directory.path(), fs::perms::all);
  const auto revoked = device_identity("p256", 3), good = device_identity("p256", 1);
  write_crl(directory / "devices.crl", {revoked});
  Desk desk({.relayd = {{"listener", {{"crlfile", directory / "devices.crl"}}}}});
  desk.world.give_key(kClient, revoked);
  desk.check(revoked.certificate);
  desk.expect("listener", "error", "revoked");
  desk.world.give_key(kClient, good);
  desk.check(good.certificate);
  desk.expect("listener", "ok", "it accepts the device, by listener.cacertfile and listener.crlfile");
  desk.expect("remote", "ok", "it accepts the device's certificate");
}

TEST_CASE("check of a client: without a certificate it checks the key, and says what to give", "[client-check][root]") {
  NEEDS_ROOT();
  Desk desk;
  desk.world.give_key(kClient, device_identity("p256", 1));
  desk.check({});
  CHECK(desk.last.status.code == 0);
  desk.expect("key", "ok", "thermo.pem: ", "", "keyd");
  desk.expect("key-certificate", "skipped", "no certificate is given", "--certificate FILE", "keyd");
  desk.expect("certificate", "skipped", "not given", "--certificate FILE");
  desk.expect("remote", "ok", "\"remote\" verifies for ");
}

TEST_CASE("check of a client: a file with a private key is refused", "[client-check][root]") {
  NEEDS_ROOT();
  Desk desk({.start = false});
  const auto identity = device_identity("p256", 1);
  TempDir directory;
  write_file(directory / "both.pem", read_file(identity.certificate) + read_file(identity.key));
  const auto refused = run(desk.command(directory / "both.pem"));
  CHECK(refused.status.code == 64);
  CHECK(refused.err.find("both.pem: it holds a private key; name a file with the certificates alone") !=
        std::string::npos);
}

TEST_CASE("check of a client: a session of the device that is up goes on", "[client-check][root]") {
  NEEDS_ROOT();
  Desk desk;
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);
  auto device = desk.world.device(identity);
  device.join(kClient);
  desk.check(identity.certificate);
  CHECK(desk.last.status.code == 0);
  device.ping();
  CHECK(desk.world.remote->connections_of(kClient) == 1);
}

TEST_CASE("check of a client: with certificates from files it shows the broker the file's", "[client-check][root]") {
  NEEDS_ROOT();
  TempDir directory;
  fs::permissions(directory.path(), fs::perms::all);
  const auto identity = device_identity("p256", 1);
  fs::create_directory(directory / "certs");
  Desk desk({.relayd = {{"remote", {{"certificate", "file"}, {"certs_dir", directory / "certs"}}}}});
  desk.world.give_key(kClient, identity);
  desk.check(identity.certificate);
  desk.expect("certificate", "error", "thermo.crt: there is no such file");
  CHECK(desk.last.status.code == 1);
  write_file(directory / "certs/thermo.crt", read_file(identity.certificate));
  desk.check({});
  desk.expect("certificate", "ok", (directory / "certs/thermo.crt").string());
  desk.expect("remote", "ok", "it accepts the device's certificate");
  CHECK(desk.last.status.code == 0);
}

TEST_CASE("check of a client: of several brokers, each is tried as the device", "[client-check][root]") {
  NEEDS_ROOT();
  const Endpoint first{own_address(), ports::remote}, second{own_address(), ports::direct};
  Desk desk({.start = false});
  const auto strict = Mosquitto({.listen = second,
                                 .server = server_identity("second", "p256", desk.directory.path()),
                                 .trusted = strange_authorities().root},
                                desk.directory / "second");
  desk.world.relay().patch_relayd({{"remote_host", nullptr}, {"remote_hosts", {first.text(), second.text()}}});
  desk.world.relay().start();
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);
  desk.check(identity.certificate);
  desk.expect("remote", "error", first.text() + ": its certificate \"remote\" verifies for " + own_address());
  desk.expect("remote", "error", "it accepts the device's certificate");
  desk.expect("remote", "error", "it refuses the device's certificate");
  CHECK(desk.audited("sign").size() == 2);
}

TEST_CASE("check of a client: a broker that slow ones kept waiting is not refused, it is not tried as the device",
          "[client-check][root]") {
  NEEDS_ROOT();
  const Endpoint first{own_address(), ports::direct}, second{own_address(), ports::remote};
  Desk desk({.keyd = {{"presence_window", "10s"}}, .start = false});
  const TakenPort silent(first);  // until connect_timeout, and for 3 s each with plain MQTT and a small ClientHello
  desk.world.relay().patch_relayd({{"remote_host", nullptr},
                                   {"remote_hosts", {first.text(), second.text()}},
                                   {"remote", {{"connect_timeout", "5s"}}}});
  desk.world.relay().start();
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);
  desk.check(identity.certificate);
  desk.expect("remote", "error", "no answer to the TLS handshake in 5000 ms");
  desk.expect("remote", "error", "TLS is up; not tried as the device: keyd takes no proof of its presence any more",
              "raise presence_window");
}

TEST_CASE("check of a client: a device that connects meanwhile has the broker to itself, and is no error",
          "[client-check][root]") {
  NEEDS_ROOT();
  Desk desk({.remote = RemoteKind::captured});
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);
  auto running = std::async(std::launch::async, [&] { return run(desk.command(identity.certificate)); });
  auto checks = desk.world.captured->accept_silently();  // keyd knows the check's proof
  auto device = desk.world.device(identity);
  device.tls().send(mqtt::connect({.client_id = kClient}));
  auto devices = desk.world.captured->accept();  // and a newer one, for which it has signed
  checks.refused_handshake();
  desk.last = running.get();
  desk.expect("remote", "warning", "not tried as the device, which has connected meanwhile", "check again");
  CHECK(desk.last.status.code == 0);
  devices.read_packet();
  devices.send(connack_accepted);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
}

TEST_CASE("check of a client: if keyd goes away in the middle, the broker is not blamed", "[client-check][root]") {
  NEEDS_ROOT();
  Desk desk({.remote = RemoteKind::captured});
  desk.world.relay().patch_relayd({{"remote", {{"connect_timeout", "2s"}}}});
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);
  auto running = std::async(std::launch::async, [&] { return run(desk.command(identity.certificate)); });
  auto remote = desk.world.captured->accept_silently();  // keyd has looked up the key, but has not been asked to sign
  desk.world.relay().keyd().kill();
  remote.refused_handshake();
  desk.last = running.get();
  desk.expect("remote", "error", "keyd did not answer in time", "journalctl -u mqtt-keyd");
}

TEST_CASE("check of a client: it needs one listener that accepts the device, not all", "[client-check][root]") {
  NEEDS_ROOT();
  TempDir directory;
  fs::permissions(directory.path(), fs::perms::all);
  fs::copy(strange_authorities().root, directory / "strange.pem");
  Desk desk({.start = false});
  const Json listener = Json::parse(read_file(desk.world.relay().relayd_configuration())).at("listener");
  Json other = listener;
  other["bind"] = own_address() + ":18884";
  other["cacertfile"] = directory / "strange.pem";
  desk.world.relay().patch_relayd({{"listener", nullptr}, {"listeners", {{"own", listener}, {"other", other}}}});
  desk.world.relay().start();
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);
  desk.check(identity.certificate);
  desk.expect("listener", "ok", "own: it accepts the device");
  desk.expect("listener", "ok", "other: it refuses the device");
  desk.expect("remote", "ok", "it accepts the device's certificate");
  CHECK(desk.last.status.code == 0);
}

TEST_CASE("check: a broker that expects a PROXY header gets one, as from a health check", "[client-check][root]") {
  NEEDS_ROOT();
  constexpr uint16_t kInFront = 18443;
  const Endpoint front{own_address(), kInFront};
  Desk desk({.start = false});
  const Haproxy haproxy("listen broker\n bind " + front.text() + " accept-proxy\n server broker " +
                            desk.world.remote->endpoint().text() + "\n",
                        desk.directory / "haproxy");
  desk.world.relay().patch_relayd({{"remote_port", kInFront}, {"remote", {{"proxy_protocol", true}}}});
  desk.world.relay().start();
  const auto identity = device_identity("p256", 1);
  desk.world.give_key(kClient, identity);
  desk.check(identity.certificate);
  desk.expect("remote", "ok", front.text() + ": its certificate \"remote\" verifies for ");
  desk.check({});
  desk.expect("remote", "ok", "\"remote\" verifies for ");
}

TEST_CASE("check of a client: a chain that expires within 30 days is a warning", "[client-check][root]") {
  NEEDS_ROOT();
  const auto root = field::root("Site"), issuing = field::below(root, "Site devices");
  TempDir directory;
  fs::permissions(directory.path(), fs::perms::all);
  const auto trusted = field::save_certificates(directory / "site.pem", {root});
  Desk desk({.relayd = {{"listener", {{"cacertfile", trusted}}}}, .remote_trusts = trusted});
  for (const int64_t days : {29, 31}) {
    CAPTURE(days);
    const auto identity =
        field::device(issuing, {.subject = pki::cn(kClient), .until = pki::kNow + days * 86'400 + 3600});
    write_file(directory / "device.pem", identity.pem() + issuing.pem());
    desk.world.relay().give_file("thermo.pem", identity.key_pem());
    desk.check(directory / "device.pem", {"--warnings-as-errors"});
    desk.expect("certificate", days == 29 ? "warning" : "ok", "valid until");
    desk.expect("remote", "ok", "it accepts the device's certificate");
    CHECK(desk.last.status.code == (days == 29 ? 2 : 0));
  }
}

TEST_CASE("check of a client: a broker can neither write to the terminal nor hold the command up",
          "[client-check][root]") {
  NEEDS_ROOT();
  Desk desk({.remote = RemoteKind::captured});
  const auto answers = [](const std::string& bytes) {
    return [bytes](TlsStream stream) {
      stream.read_packet();
      stream.send(bytes);
      stream.read_to_end();
    };
  };

  SECTION("its reason is escaped") {
    const std::string reason = "\x1b[2Jgone\xff";
    const std::string properties = "\x1f" + mqtt::text(reason);
    desk.check_against(
        answers(mqtt::packet(0x20, std::string("\0\x87", 2) + static_cast<char>(properties.size()) + properties)),
        {"--connect"});
    CHECK(desk.last.out.find('\x1b') == std::string::npos);
    desk.expect("remote", "error", "0x87, Not authorized: \"\x1b[2Jgone");
  }
  SECTION("what is no CONNACK is an error") {
    desk.check_against(answers("HTTP/1.1 400 Bad Request\r\n\r\n"), {"--connect"});
    desk.expect("remote", "error", "it did not accept the device's CONNECT");
  }
  SECTION("so is an end without a word") {
    desk.check_against([](TlsStream stream) { stream.read_packet(); }, {"--connect"});
    desk.expect("remote", "error", "it did not accept the device's CONNECT");
  }
  SECTION("one that never ends the connection has not refused the device") {
    std::optional<TlsStream> kept;
    desk.check_against([&](TlsStream stream) { kept.emplace(std::move(stream)); }, {});
    desk.expect("remote", "ok", "it accepts the device's certificate, as far as TLS shows");
  }
  SECTION("one that never answers CONNECT is an error, after connect_timeout") {
    desk.world.relay().patch_relayd({{"remote", {{"connect_timeout", "1s"}}}});
    std::optional<TlsStream> kept;
    desk.check_against([&](TlsStream stream) { kept.emplace(std::move(stream)); }, {"--connect"});
    desk.expect("remote", "error", "no answer to CONNECT in 1000 ms");
  }
}
