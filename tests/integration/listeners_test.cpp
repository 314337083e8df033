// Several listeners in one relay: each with its own address, certificate, authorities, limits and route.

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/field.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr uint16_t kPlant = ports::relay, kLab = 8884;

// A relay with the listeners "plant" and "lab", which show one certificate and trust this PKI's root. `plant`, `lab`:
// merged into their settings.
struct Site {
  World world;
  Json listeners;

  explicit Site(const Json& plant = Json::object(), const Json& lab = Json::object(), const WorldOptions& options = {})
      : world(not_started(options)), listeners{{"plant", usual(kPlant)}, {"lab", usual(kLab)}} {
    if (!plant.is_null()) listeners["plant"].merge_patch(plant);
    if (!lab.is_null()) listeners["lab"].merge_patch(lab);
    configure();
    if (options.start) world.relay().start();
  }
  static WorldOptions not_started(WorldOptions options) {
    options.start = false;
    return options;
  }
  void configure() {
    world.relay().patch_relayd({{"listener", nullptr}, {"listeners", nullptr}});
    world.relay().patch_relayd({{"listeners", listeners}});
  }
  Json usual(uint16_t port) const {
    return {{"bind", own_address() + ":" + std::to_string(port)},
            {"certfile", certificates() / "listener.pem"},
            {"cacertfile", certificates() / "root.pem"}};
  }
  fs::path certificates() const { return world.directory / "relay/certificates"; }
  // A copy that relayd's user can read.
  std::string readable(const fs::path& file) const {
    const fs::path copy = certificates() / (std::to_string(++copies) + file.filename().string());
    fs::copy_file(file, copy);
    return copy.string();
  }
  TlsStream open(uint16_t port, const Identity& identity) const {
    return TlsStream::open({own_address(), port}, TlsContext::client(&identity, authorities().root));
  }
  Device device(uint16_t port, const Identity& identity) const { return Device(identity, {own_address(), port}); }
  Json reload() {
    configure();
    return world.relay().reload();
  }
  mutable int copies = 0;
};

const auto thermo = [] { return device_identity("p256", 1); };

Json line_of(Site& site, const std::string& message, const std::string& client_id) {
  return site.world.relay().log().wait_json(
      [&](const Json& line) { return line.value("msg", "") == message && line.value("client_id", "") == client_id; },
      message);
}

}  // namespace

TEST_CASE("each listener trusts its own authorities, and the log names the listener of a session") {
  Site site;
  site.listeners["lab"]["cacertfile"] = site.readable(strange_authorities().root);
  REQUIRE(site.reload().value("msg", "") == "relayd reloaded");
  const auto ours = thermo(), theirs = strange_device("p256");
  site.world.give_key("ours", ours);
  site.world.give_key("theirs", theirs);

  auto first = site.device(kPlant, ours);
  first.join("ours");
  CHECK(line_of(site, "session up", "ours").value("listener", "") == "plant");
  auto refused = site.device(kPlant, theirs);
  CHECK(refused.tls().read_to_end().how == Ending::alert);
  auto other = site.device(kLab, ours);
  CHECK(other.tls().read_to_end().how == Ending::alert);
  // The remote broker does not trust this device, so it is refused there, but only after the listener has accepted it.
  auto accepted = site.device(kLab, theirs);
  CHECK(mqtt::connack_code(accepted.connect({.client_id = "theirs"})) != 0);
  CHECK(line_of(site, "session refused", "theirs").value("listener", "") == "lab");
}

TEST_CASE("with one listener, as `listener` or in `listeners`, the log has no listener's name") {
  World world;
  world.join("alone").ping();
  const auto up = world.relay().log().wait_json([](const Json& j) { return j.value("msg", "") == "session up"; }, "up");
  CHECK_FALSE(up.contains("listener"));
}

TEST_CASE("with the route local, a device stays local although it has a key, and no key is looked up for it") {
  Site site({}, {{"route", "local"}});
  const auto identity = thermo();
  site.world.give_key("meter", identity);
  auto local = site.device(kLab, identity);
  local.join("meter");
  CHECK(site.world.local->connections_of("meter") == 1);
  CHECK(site.world.remote_connections() == 0);
  const auto lookups = [&] {
    return site.world.relay().audit().json(
        [](const Json& line) { return line.value("event", "") == "lookup" && line.value("client_id", "") == "meter"; });
  };
  CHECK(lookups().empty());

  auto by_key = site.device(kPlant, identity);
  by_key.join("meter");
  CHECK(site.world.remote->user_of("meter") == identity.name);
  CHECK(lookups().size() == 1);
}

TEST_CASE("versions, max_connections and max_clientid_len are each listener's own") {
  Site site({{"versions", {"tlsv1.3"}}, {"max_connections", 1}}, {{"versions", {"tlsv1.2"}}, {"max_clientid_len", 3}});
  const auto identity = thermo();
  auto plant = site.device(kPlant, identity);
  CHECK(plant.tls().version() == "TLSv1.3");
  auto lab = site.device(kLab, identity);
  CHECK(lab.tls().version() == "TLSv1.2");

  auto over = site.open(kPlant, identity);
  over.refused_handshake();
  auto within = site.device(kLab, identity);
  CHECK(mqtt::connack_code(within.connect({.client_id = "four", .level = mqtt::v5})) == 0x85);
  plant.connect({.client_id = "four"});
  plant.ping();
}

TEST_CASE("a reload adds and removes a listener, and ends no session and drops no waiting device") {
  Site site;
  const auto identity = thermo();
  for (const char* id : {"plant", "lab", "new", "waiting"}) site.world.give_key(id, identity);
  auto plant = site.device(kPlant, identity), lab = site.device(kLab, identity);
  plant.join("plant");
  lab.join("lab");

  auto waiting = site.open(kPlant, identity);  // connected, and silent during the reload
  constexpr uint16_t kOffice = 8885;
  site.listeners.erase("lab");
  site.listeners["office"] = site.usual(kOffice);
  REQUIRE(site.reload().value("msg", "") == "relayd reloaded");
  plant.ping();
  lab.ping();
  waiting.handshake();
  Device late(std::move(waiting));
  late.join("waiting");
  auto office = site.device(kOffice, identity);
  office.join("new");
  CHECK(line_of(site, "session up", "new").value("listener", "") == "office");
  const auto refuses = [&] {  // once the old workers have closed their sockets
    try {
      site.open(kLab, identity);
      return false;
    } catch (const Failure&) {
      return true;
    }
  };
  const auto deadline = patience();
  while (!refuses()) REQUIRE(deadline.poll_timeout() > 0);
}

TEST_CASE("a reload that can't bind one of its listeners names it and changes nothing") {
  Site site;
  const auto identity = thermo();
  site.world.give_key("plant", identity);
  auto plant = site.device(kPlant, identity);
  plant.join("plant");
  site.listeners["office"] = site.usual(ports::local);  // the local broker's port
  const auto line = site.reload();
  INFO(line.dump());
  CHECK(line.value("msg", "") == "reload failed; nothing has changed");
  CHECK(line.value("cause", "").find("listeners.office.bind: can't listen on") != std::string::npos);
  plant.ping();
  site.device(kLab, identity).connect({.client_id = "new"});
}

TEST_CASE("crl_disconnect ends the sessions of its own listener only") {
  Site site;
  const TempDir directory;
  const auto stays = thermo(), goes = device_identity("p256", 2);
  write_crl(directory / "none.pem", {});
  write_crl(directory / "revoked.pem", {stays, goes});
  site.listeners["lab"]["crlfile"] = site.readable(directory / "none.pem");
  site.listeners["lab"]["crl_disconnect"] = true;
  REQUIRE(site.reload().value("msg", "") == "relayd reloaded");
  site.world.give_key("stays", stays);
  site.world.give_key("goes", goes);
  auto on_plant = site.device(kPlant, stays), on_lab = site.device(kLab, goes);
  on_plant.join("stays");
  on_lab.join("goes");
  site.listeners["lab"]["crlfile"] = site.readable(directory / "revoked.pem");
  REQUIRE(site.reload().value("msg", "") == "relayd reloaded");
  on_lab.tls().read_to_end();
  CHECK(line_of(site, "session closed", "goes").value("listener", "") == "lab");
  on_plant.ping();
}

TEST_CASE("a device that flaps at one listener is banned there, and served by the other") {
  const Json detect = {{"flapping_detect", {{"max_count", 2}}}};
  Site site(detect);
  const auto identity = thermo();
  site.world.give_key("flaps", identity);
  for (int i = 0; i < 2; i++) {
    const size_t mark = site.world.relay().log().mark();
    auto device = site.device(kPlant, identity);
    device.join("flaps");
    device.tls().vanish();
    site.world.relay().log().wait_json(is_end, "the end", mark);
  }
  auto banned = site.device(kPlant, identity);
  CHECK(mqtt::connack_code(banned.connect({.client_id = "flaps", .level = mqtt::v5})) == 0x8a);
  auto elsewhere = site.device(kLab, identity);
  elsewhere.join("flaps");
}

TEST_CASE("status and check name each listener") {
  Site site({}, {}, {.relayd = {{"control_socket", "CONTROL"}}, .start = false});
  site.world.relay().patch_relayd({{"control_socket", site.world.directory / "relay/certificates/control.sock"}});
  fs::permissions(site.certificates(), fs::perms::all);
  site.world.relay().start();
  const auto identity = thermo();
  site.world.give_key("plant", identity);
  auto plant = site.device(kPlant, identity);
  plant.join("plant");
  const Json status = Json::parse(site.world.relay().ask_relayd({"status", "--json"}).out);
  REQUIRE(status.at("listeners").size() == 2);
  const Json& lab = status["listeners"][0];
  const Json& first = status["listeners"][1];
  CHECK(first.at("name") == "plant");
  CHECK(first.at("bind") == own_address() + ":8883");
  CHECK(first.at("connections") == 1);
  CHECK(first.at("connections_accepted") == 1);
  CHECK(lab.at("name") == "lab");
  CHECK(lab.at("connections_accepted") == 0);

  site.listeners["lab"]["certfile"] = "/nonexistent.pem";
  site.configure();
  const auto checked = site.world.relay().ask_relayd({"check", "relayd"}).out;
  INFO(checked);
  CHECK(checked.find("listeners.lab.certfile: /nonexistent.pem") != std::string::npos);
  CHECK(checked.find("plant: ") != std::string::npos);
}

TEST_CASE("verify judges a chain as the listener that --listener names, and asks for it if there are several") {
  Site site({}, {}, {.start = false});
  site.listeners["lab"]["cacertfile"] = site.readable(strange_authorities().root);
  site.configure();
  const auto verify = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"verify", site.readable(thermo().certificate), "--as", "device"};
    words.insert(words.end(), more.begin(), more.end());
    return site.world.relay().ask_relayd(words);
  };
  CHECK(verify({"--listener", "plant"}).status.code == 0);
  CHECK(verify({"--listener", "lab"}).status.code == 1);
  for (const auto& asked : {verify({}), verify({"--listener", "none"})}) {
    INFO(asked.err);
    CHECK(asked.status.code != 0);
    CHECK(asked.err.find("name the device's with --listener: lab, plant") != std::string::npos);
  }
}
