// remote.certificate "file": a device shows the gateway one certificate, and its session shows the remote broker
// another, of another CA, from certs_dir.

#include <openssl/pem.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

struct CloudOptions {
  bool require_presence = false;
  TlsVersion remote_version = TlsVersion::any;
  Json relayd = Json::object();
};

// The remote broker admits certificates of the cloud's CA only, the gateway those of the site's. The devices' keys on
// the gateway are of the cloud.
struct Cloud {
  TempDir directory;
  const fs::path certs = directory / "certs";
  const pki::Identity root = field::root("Cloud"), issuing = field::below(root, "Cloud devices");
  std::unique_ptr<World> world;

  explicit Cloud(const CloudOptions& options = {}) {
    fs::create_directory(certs);
    fs::permissions(directory.path(), fs::perms::all);
    Json relayd = {{"control_socket", directory / "control.sock"},
                   {"remote", {{"certificate", "file"}, {"certs_dir", certs}}}};
    relayd.merge_patch(options.relayd);
    world = std::make_unique<World>(
        WorldOptions{.keyd = {{"require_presence", options.require_presence}},
                     .relayd = relayd,
                     .remote_version = options.remote_version,
                     .remote_trusts = field::save_certificates(directory / "cloud.pem", {root})});
  }

  pki::Identity identity(const std::string& name, const std::string& kind = "P-256", pki::Template shape = {}) {
    shape.subject = pki::cn(name);
    return field::device(issuing, shape, kind);
  }
  // As an operator should: whole or not at all.
  void put(const std::string& file, const std::string& text) {
    write_file(directory / "new", text);
    fs::permissions(directory / "new", fs::perms(0644));
    fs::rename(directory / "new", certs / file);
  }
  void give_certificate(const std::string& client_id, const pki::Identity& identity) {
    put(client_id + ".crt", identity.pem() + issuing.pem());
  }
  void give_key(const std::string& client_id, const pki::Identity& identity) {
    world->relay().give_file(client_id + ".pem", identity.key_pem());
  }
  void give(const std::string& client_id, const pki::Identity& identity) {
    give_certificate(client_id, identity);
    give_key(client_id, identity);
  }
  Device device(TlsVersion version = TlsVersion::any) { return world->device(device_identity("p256", 1), version); }
  // Refused because of the file, by a line that names it and says `why`; neither broker saw the device.
  void refuses(const std::string& client_id, const std::string& why) {
    CAPTURE(client_id, why);
    const auto mark = world->relay().log().mark();
    const auto remote = world->remote->log().mark(), local = world->local->log().mark();
    CHECK(world->refusal(device_identity("p256", 1), client_id, mqtt::v5) == 0x88);
    const auto line = world->relay().session_closed(mark);
    CHECK(line.at("client_id") == client_id);
    const auto found = line.at("why").get<std::string>();
    CAPTURE(found);
    CHECK(found.find((certs / (client_id + ".crt")).string()) != found.npos);
    CHECK(found.find(why) != found.npos);
    CHECK(world->remote->connections_of(client_id, remote) == 0);
    CHECK(world->local->connections_of(client_id, local) == 0);
  }
  Json totals() {
    const auto asked = world->relay().ask_relayd({"status"});
    REQUIRE(asked.status.code == 0);
    return Json::parse(asked.out).at("total");
  }
};

pki::Key key_in(const fs::path& file) {
  const std::unique_ptr<FILE, int (*)(FILE*)> opened(fopen(file.c_str(), "r"), fclose);
  return {PEM_read_PrivateKey(opened.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
}

}  // namespace

TEST_CASE("certificate file: the remote broker sees the certificate in certs_dir, not the one that the device showed") {
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  Cloud cloud({.remote_version = version});
  for (const std::string kind : {"P-256", "RSA:2048", "ED25519"}) {
    CAPTURE(kind);
    const std::string id = "thermo-" + kind.substr(0, kind.find(':'));
    cloud.give(id, cloud.identity("cloud-" + id, kind));
    auto device = cloud.device(version);
    device.join(id).ping();
    CHECK(cloud.world->remote->user_of(id) == "cloud-" + id);
    device.subscribe("any/" + id, 1);
    device.publish("any/" + id, "23.5", 1);
    CHECK(device.next_message().payload == "23.5");
  }
}

TEST_CASE("certificate file: by default a session shows what the device showed, whatever is in a directory") {
  Cloud cloud({.relayd = {{"remote", {{"certificate", nullptr}, {"certs_dir", nullptr}}}}});
  cloud.give("thermo", cloud.identity("cloud-thermo"));
  CHECK(cloud.world->refusal(device_identity("p256", 1), "thermo", mqtt::v311) == 5);  // no pair
}

TEST_CASE("certificate file: a new pair counts for the next session, and sessions that are up stay") {
  Cloud cloud;
  cloud.give("thermo", cloud.identity("first"));
  auto before = cloud.device();
  before.join("thermo");
  CHECK(cloud.world->remote->user_of("thermo") == "first");
  const auto second = cloud.identity("second", "P-384");
  cloud.give_key("thermo", second);
  before.ping();
  cloud.refuses("thermo", "keyd's thermo.pem is of another key");
  cloud.give_certificate("thermo", second);
  before.ping();
  const auto mark = cloud.world->remote->log().mark();
  auto after = cloud.device();
  after.join("thermo");
  CHECK(cloud.world->remote->user_of("thermo", mark) == "second");
  CHECK(cloud.totals().at("certificate_file_refused").at("mismatch") == 1);
}

// At most ten refusals, because the log limits them to ten a second.
TEST_CASE("certificate file: a device with a key and no usable file is refused, and a line names file and cause") {
  Cloud cloud;
  const auto identity = cloud.identity("cloud-thermo");
  cloud.give_key("thermo", identity);
  const auto bad = [&](const std::string& why) {
    cloud.refuses("thermo", why);
    fs::remove_all(cloud.certs / "thermo.crt");
  };
  bad("there is no such file; the device has a key, so put the certificate chain of that key there");
  cloud.put("thermo.crt", identity.pem() + identity.key_pem());
  bad("it holds a private key, which belongs in keyd's private_keys_dir only");
  cloud.put("thermo.crt", "certificate of thermo");
  bad("it is not PEM text");
  cloud.put("thermo.crt", identity.pem().substr(0, 100));
  bad("line 1: \"CERTIFICATE\" has no END line");
  cloud.put("thermo.crt", std::string(33 * 1024, '#'));
  bad("it is larger than 32 KiB");
  REQUIRE(mkfifo((cloud.certs / "thermo.crt").c_str(), 0644) == 0);
  bad("it is a FIFO");
  fs::create_directory(cloud.certs / "thermo.crt");
  bad("it is a directory");
  write_file(cloud.directory / "outside.crt", identity.pem() + cloud.issuing.pem());
  fs::create_symlink("../outside.crt", cloud.certs / "thermo.crt");
  bad("it is a link that leads out of remote.certs_dir");
  cloud.give_certificate("thermo", cloud.identity("cloud-thermo", "P-256", {.until = pki::kNow - 60}));
  bad("the device's certificate has expired on 20");
  cloud.give_certificate("thermo", cloud.identity("another"));
  bad("keyd's thermo.pem is of another key");
  const Json faults = cloud.totals().at("certificate_file_refused");
  CHECK(faults.at("missing") == 1);
  CHECK(faults.at("unusable") == 7);
  CHECK(faults.at("not_valid") == 1);
  CHECK(faults.at("mismatch") == 1);
  // Then with a good one.
  cloud.give_certificate("thermo", identity);
  cloud.device().join("thermo");
  CHECK(cloud.world->remote->user_of("thermo") == "cloud-thermo");
}

TEST_CASE("certificate file: a device without a key stays local, with a warning if it has a certificate file") {
  Cloud cloud;
  auto plain = cloud.device();
  plain.join("plain").ping();
  CHECK(cloud.world->local->connections_of("plain") == 1);
  CHECK(cloud.world->relay().log().count_text("keyd has no key for it") == 0);
  for (const std::string& text : {cloud.identity("thermo").pem(), std::string("unusable")}) {
    cloud.put("thermo.crt", text);
    const auto mark = cloud.world->relay().log().mark();
    auto device = cloud.device();
    device.join("thermo").ping();
    const auto line = cloud.world->relay().log().wait_json(
        [](const Json& j) { return j.value("msg", "").find("keyd has no key for it") != std::string::npos; },
        "the warning", mark);
    CHECK(line.at("level") == "warning");
    CHECK(line.at("certificate_file") == (cloud.certs / "thermo.crt").string());
    CHECK(line.at("client_id") == "thermo");
  }
  CHECK(cloud.world->local->connections_of("thermo") == 2);
  CHECK(cloud.world->remote_connections() == 0);
  CHECK(cloud.totals().at("suspicious_local").at("certificate_without_key") == 2);
}

TEST_CASE("certificate file: with require_presence, a device that holds the signing key proves it as always") {
  Cloud cloud({.require_presence = true});
  const auto site = device_identity("p256", 1);
  const auto same = pki::issue(cloud.issuing, field::current({.subject = pki::cn("cloud-thermo")}), key_in(site.key));
  const auto version = GENERATE(TlsVersion::v1_2, TlsVersion::v1_3);
  cloud.give("thermo", same);
  auto device = cloud.device(version);
  device.join("thermo").ping();
  CHECK(cloud.world->remote->user_of("thermo") == "cloud-thermo");
}

TEST_CASE("certificate file: with require_presence, another key than the device's is refused with the remedy") {
  Cloud cloud({.require_presence = true});
  cloud.give("thermo", cloud.identity("cloud-thermo"));
  cloud.refuses("thermo", "keyd takes as proof of presence only with bind_device");
}

TEST_CASE("certificate file: a device that waits for its certificate is served by the next connector") {
  Cloud cloud({.relayd = {{"worker_watchdog", "60s"}}});
  cloud.give("thermo", cloud.identity("cloud-thermo"));
  auto before = cloud.device();
  before.join("before");  // so the worker has its connection to keyd
  const pid_t connector = cloud.world->relay().connector();
  REQUIRE(kill(connector, SIGSTOP) == 0);
  auto device = cloud.device();
  device.tls().send(mqtt::connect({.client_id = "thermo"}));
  auto leaves = cloud.device();  // nothing is left of one that goes away meanwhile
  leaves.tls().send(mqtt::connect({.client_id = "leaves"}));
  leaves.disconnect();
  REQUIRE(kill(connector, SIGKILL) == 0);
  CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
  device.ping();
  CHECK(cloud.world->remote->user_of("thermo") == "cloud-thermo");
}

TEST_CASE("certificate file: a connector that hangs costs the device remote.connect_timeout, and then it is refused") {
  Cloud cloud({.relayd = {{"worker_watchdog", "60s"}, {"remote", {{"connect_timeout", "1s"}}}}});
  cloud.give("thermo", cloud.identity("cloud-thermo"));
  auto before = cloud.device();
  before.join("before");  // so the worker has its connection to keyd
  const pid_t connector = cloud.world->relay().connector();
  REQUIRE(kill(connector, SIGSTOP) == 0);
  cloud.refuses("thermo", "it was not read within remote.connect_timeout");
  REQUIRE(kill(connector, SIGCONT) == 0);
  cloud.device().join("thermo");
  CHECK(cloud.totals().at("certificate_file_refused").at("timeout") == 1);
}

TEST_CASE("certificate file: a reload takes another certs_dir, and refuses one that can't be opened") {
  Cloud cloud;
  cloud.give("thermo", cloud.identity("first"));
  const fs::path other = cloud.directory / "other";
  cloud.world->relay().patch_relayd({{"remote", {{"certs_dir", other}}}});
  const auto refused = cloud.world->relay().reload();
  CAPTURE(refused.dump());
  CHECK(refused.dump().find("remote.certs_dir: " + other.string() + ": can't be opened: No such file") !=
        std::string::npos);
  cloud.device().join("thermo");
  CHECK(cloud.world->remote->user_of("thermo") == "first");
  fs::create_directory(other);
  const auto identity = cloud.identity("second");
  cloud.give("thermo", identity);
  fs::rename(cloud.certs / "thermo.crt", other / "thermo.crt");
  cloud.world->relay().reload();
  const auto mark = cloud.world->remote->log().mark();
  cloud.device().join("thermo");
  CHECK(cloud.world->remote->user_of("thermo", mark) == "second");
}

TEST_CASE("certificate file: what concerns the device itself still goes by its own certificate") {
  Cloud cloud({.relayd = {{"listener", {{"client_id_from", "cn"}}}}});
  const auto site = device_named("thermo");
  cloud.give("thermo", cloud.identity("cloud-thermo"));
  cloud.give("cloud-thermo", cloud.identity("cloud-thermo"));
  auto device = cloud.world->device(site);
  device.join("thermo");
  CHECK(cloud.world->remote->user_of("thermo") == "cloud-thermo");
  CHECK(cloud.world->refusal(site, "cloud-thermo", mqtt::v5) == 0x85);
}

TEST_CASE("certificate file: crl_disconnect ends the session of a device whose own certificate is revoked") {
  TempDir lists;
  fs::permissions(lists.path(), fs::perms::all);
  const auto site = device_identity("p256", 1), other = device_identity("p256", 2);
  const auto revoke = [&](const std::vector<Identity>& revoked) {
    fs::remove(lists / "devices.crl");
    write_crl(lists / "devices.crl", revoked);
    fs::permissions(lists / "devices.crl", fs::perms(0644));
  };
  revoke({other});
  Cloud cloud({.relayd = {{"listener", {{"crlfile", lists / "devices.crl"}, {"crl_disconnect", true}}}}});
  cloud.give("thermo", cloud.identity("cloud-thermo"));
  auto device = cloud.device();
  device.join("thermo").ping();
  revoke({site});
  const auto mark = cloud.world->relay().log().mark();
  cloud.world->relay().reload();
  CHECK(cloud.world->relay().session_closed(mark).at("why") == "the device's certificate has been revoked");
}

TEST_CASE("certificate file: when the remote broker refuses the certificate, the line names the file") {
  Cloud cloud;
  const auto stranger = field::device(field::root("Stranger"), {.subject = pki::cn("thermo")});
  cloud.put("thermo.crt", stranger.pem());
  cloud.give_key("thermo", stranger);
  const auto mark = cloud.world->relay().log().mark();
  CHECK(cloud.world->refusal(device_identity("p256", 1), "thermo", mqtt::v5) == 0x87);
  const auto why = cloud.world->relay().session_closed(mark).at("why").get<std::string>();
  CHECK(why.find("it was shown " + (cloud.certs / "thermo.crt").string()) != why.npos);
}
