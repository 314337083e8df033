// The remote's name: its addresses change, cannot be resolved, or are dead.

#include <sstream>

#include "tests/faults/dns_server.h"
#include "tests/faults/far_remote.h"
#include "tests/integration/harness/need.h"

using namespace faults;
using namespace harness;
using namespace std::chrono_literals;

namespace {

// The remote broker under its name, with a second address that belongs to this process.
struct Named {
  TempDir scratch;
  DnsServer dns{own_address()};
  // outside 127.64 to 127.127, with which own_address() begins
  std::string first = own_address(), second = "127.128" + own_address().substr(own_address().find('.', 4));

  StageOptions options() {
    StageOptions options{.relayd = {{"remote_host", remote_name}, {"resolve_interval", "500ms"}}};
    options.world = [this](WorldOptions& world) {
      put_remote_at(world, first, scratch.path());
      world.relayd_before_exec = dns.resolv_conf();
      const auto& server = *world.remote_server;
      world.remote_more += "listener " + std::to_string(ports::remote) + " " + second + "\ncafile " +
                           authorities().root.string() + "\ncertfile " + server.certificate.string() + "\nkeyfile " +
                           server.key.string() + "\nrequire_certificate true\nuse_identity_as_username true\n";
    };
    return options;
  }
};

// Counts this network's established connections to `address` at the remote's port, proc_net_tcp(5).
size_t connections_to(const std::string& address) {
  unsigned part[4];
  std::sscanf(address.c_str(), "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]);
  char wanted[32];
  std::snprintf(wanted, sizeof wanted, "%02X%02X%02X%02X:%04X", part[3], part[2], part[1], part[0], ports::remote);
  size_t count = 0;
  std::istringstream table(read_file("/proc/net/tcp"));
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state;
    fields >> slot >> local >> remote >> state;
    count += remote == wanted && state == "01";
  }
  return count;
}

// Returns once relayd has asked the name server again and used the answer: it asks one question at a time.
void wait_asked_again(DnsServer& dns, const Stage& stage) { dns.wait_questions(dns.questions() + 6, stage.patience()); }

Device newcomer(Stage& stage, const std::string& id) {
  stage.world().give_key(id, device_identity("p256", 1));
  auto device = stage.world().device(device_identity("p256", 1));
  device.join(id);
  return device;
}

size_t log_lines(Stage& stage, const std::string& message) {
  return stage.relay().log().json([&](const Json& j) { return j.value("msg", "") == message; }).size();
}

}  // namespace

TEST_CASE("when the remote's name gets another address, sessions continue and new ones go to the new address",
          "[root]") {
  NEEDS_ROOT();
  Named named;
  named.dns.answer({named.first});
  Stage stage(named.options());
  const auto at_first = connections_to(named.first);
  REQUIRE(at_first > stage.fleet().size());  // and the witness's connection
  REQUIRE(connections_to(named.second) == 0);

  named.dns.answer({named.second});
  wait_asked_again(named.dns, stage);
  auto late = newcomer(stage, "newcomer");
  CHECK(connections_to(named.second) == 1);
  CHECK(connections_to(named.first) == at_first);
  stage.fleet().wait_progress(stage.fleet().size() * 4, stage.patience());
  CHECK(stage.fleet().figures().disturbed == 0);

  stage.fleet().vanish();
  stage.finish();
  CHECK(connections_to(named.second) == stage.fleet().size() + 1);
  CHECK(connections_to(named.first) == at_first - stage.fleet().size());
}

TEST_CASE("while the name server fails or is silent, the last addresses are kept, and the log says so once", "[root]") {
  NEEDS_ROOT();
  Named named;
  named.dns.answer({named.first});
  Stage stage(named.options());
  const std::string lost = "name can't be resolved any more; relayd keeps its last addresses";
  named.dns.fail();
  wait_asked_again(named.dns, stage);
  auto one = newcomer(stage, "one");
  named.dns.be_silent();
  wait_asked_again(named.dns, stage);
  auto two = newcomer(stage, "two");
  CHECK(stage.fleet().figures().disturbed == 0);
  stage.fleet().vanish();
  stage.finish();
  CHECK(log_lines(stage, lost) == 1);
  CHECK(log_lines(stage, "name is resolved again") == 0);

  named.dns.answer({named.first});
  stage.relay().log().wait_text("name is resolved again");
  CHECK(log_lines(stage, lost) == 1);
}

TEST_CASE("if an address accepts but fails in TLS or stays silent, the session goes to the next address", "[root]") {
  NEEDS_ROOT();
  Named named;
  named.dns.answer({named.first, named.second});
  WorldOptions options{.relayd = {{"remote_host", remote_name}, {"remote", {{"connect_timeout", "4s"}}}}};
  put_remote_at(options, named.second, named.scratch.path());
  options.relayd_before_exec = named.dns.resolv_conf();
  World world(options);
  const auto bad = [&](bool strange) {
    return server_identity("bad", "p256", "IP:" + named.first + ",DNS:" + remote_name, named.scratch.path(), strange);
  };
  const auto serve = [](CapturingRemote& remote) {
    return std::jthread([&] {
      try {
        remote.accept();
      } catch (const Failure&) {
      }
    });
  };
  const auto identity = device_identity("p256", 1);
  world.give_key("one", identity);
  world.give_key("two", identity);
  const auto join = [&](const std::string& id) {
    auto device = world.device(identity);
    return mqtt::connack_code(device.connect({.client_id = id}));
  };

  SECTION("the address is silent") {
    CapturingRemote mute({named.first, ports::remote}, bad(false), authorities().root);
    const auto began = Clock::now();
    CHECK(join("one") == 0);
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
    CHECK(took < 4s);
    const auto tried = mute.accept_silently();
    CHECK(join("two") == 0);  // at once, because the silent address is now tried last
    CHECK_FALSE(mute.anybody_there());
    print_figures("the session was up in " + seconds(took) + ", half of connect_timeout for the mute address");
  }
  SECTION("the address shows a certificate of another authority") {
    CapturingRemote impostor({named.first, ports::remote}, bad(true), authorities().root);
    const auto server = serve(impostor);
    CHECK(join("one") == 0);
    CHECK(join("two") == 0);
    CHECK_FALSE(impostor.anybody_there());
  }
  SECTION("the address closes the connection") {
    CapturingRemote closing({named.first, ports::remote}, bad(false), authorities().root);
    const std::jthread server([&] { closing.accept_silently().vanish(); });
    CHECK(join("one") == 0);
    CHECK(join("two") == 0);
    CHECK_FALSE(closing.anybody_there());
  }
  SECTION("an address that refuses the device's certificate ends the search") {
    CapturingRemote strict({named.first, ports::remote}, bad(false), strange_authorities().root, TlsVersion::v1_2);
    const auto server = serve(strict);
    CHECK(join("one") == 5);
    CHECK(world.remote_connections() == 0);
  }
}

TEST_CASE("with four dead addresses before the good one, a session is up long before connect_timeout", "[root]") {
  NEEDS_ROOT();
  const TempDir scratch;
  ShapedLink link;
  DnsServer dns(own_address());
  // Nothing listens at the first address, so it refuses at once. The others drop what they are sent.
  auto addresses = link.black_holes();
  addresses.insert(addresses.begin(), own_address());
  addresses.push_back(link.far_address());
  REQUIRE(addresses.size() == 5);
  dns.answer(addresses);

  StageOptions options{.relayd = {{"remote_host", remote_name}, {"remote", {{"connect_timeout", "10s"}}}}};
  options.world = [&](WorldOptions& world) {
    put_remote_far(world, link, scratch.path());
    world.relayd_before_exec = dns.resolv_conf();
  };
  options.near_remote = [&](const std::function<void()>& work) { link.run_at_far_end(work); };

  SECTION("for the first device, which has to find out") {
    WorldOptions world_options{.relayd = options.relayd};
    options.world(world_options);
    World world(world_options);
    world.give_key("first", device_identity("p256", 1));
    const auto began = Clock::now();
    auto first = world.device(device_identity("p256", 1));
    first.join("first");
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
    CHECK(took < 5s * HARNESS_PATIENCE_FACTOR);
    // They were tried: packets to the black holes were dropped.
    CHECK(link.figures().dropped >= link.black_holes().size());
    print_figures("up in " + seconds(took) + " behind one address that refuses and three that are silent");
  }
  SECTION("for a whole fleet, which loses nothing") {
    Stage stage(options);
    stage.fleet().vanish();
    stage.finish();
  }
}
