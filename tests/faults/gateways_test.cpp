// Several gateways as scale-out.md has them: two relays, each with a keyd of its own and an equal key directory, behind
// a real HAProxy with the shipped configuration, before a real remote broker. Each part is a host of its own on a
// network of the test's, and a fleet publishes through it.

#include <algorithm>
#include <array>
#include <csignal>

#include "test_paths.h"
#include "tests/faults/fleet.h"
#include "tests/faults/network.h"
#include "tests/faults/stage.h"
#include "tests/faults/witness.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/haproxy.h"
#include "tests/integration/harness/mosquitto.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/raw_tls.h"

using namespace faults;
using harness::Endpoint, harness::Relay;
namespace mqtt = harness::mqtt;

namespace {

// The addresses of the shipped files.
const std::string kDevices = "192.0.2.1", kBalancer = "192.0.2.10", kBroker = "192.0.2.20";
const std::string kGateways[] = {"192.0.2.11", "192.0.2.12"};
constexpr uint16_t kPort = 8883, kMonitor = 9464;

// The shipped file as it is, but for a number of connections for which a test may have no descriptors.
std::string shipped_configuration() {
  auto text = harness::read_file(harness::fs::path(MQTT_RELAY_SOURCE_DIR) / "packaging/config/haproxy.cfg.example");
  const std::string most = "maxconn 100000";
  REQUIRE(text.find(most) != std::string::npos);
  return text.replace(text.find(most), most.size(), "maxconn 2000");
}

struct Options {
  size_t devices = harness::under_sanitizer ? 60 : 120;
  size_t workers = 2;  // of each relay
  milliseconds shutdown_timeout{4000};
  Behaviour behaviour = {};
};

class Gateways {
 public:
  explicit Gateways(const Options& options = {})
      : network_({kDevices, kBalancer, kBroker, kGateways[0], kGateways[1]}) {
    const auto identity = [&](const std::string& name, const std::string& address) {
      return harness::server_identity(name, "p256", "IP:" + address, directory_.path());
    };
    broker_ = std::make_unique<harness::Mosquitto>(
        harness::MosquittoOptions{.listen = {kBroker, kPort},
                                  .server = identity("remote", kBroker),
                                  .more = "max_inflight_messages 0\nlog_type error\nlog_type warning\n",
                                  .before_exec = network_.at(kBroker)},
        directory_ / "remote");
    const auto listener = identity("listener", kBalancer);
    for (const auto& address : kGateways) {
      const auto host = network_.at(address);
      relays_.push_back(std::make_unique<Relay>(
          harness::RelayOptions{
              .listen = {address, kPort},
              .remote = broker_->endpoint(),
              .listener = listener,
              .relayd = {{"workers", options.workers},
                         {"shutdown_timeout", std::to_string(options.shutdown_timeout.count()) + "ms"},
                         {"server_reference", "other.gateway.test"},
                         {"listener", {{"proxy_protocol", true}, {"trusted_proxies", {kBalancer}}}},
                         {"metrics", {{"bind", Endpoint{address, kMonitor}.text()}}}},
              .keyd_before_exec = host,
              .relayd_before_exec = host},
          directory_ / ("gateway" + std::to_string(relays_.size() + 1))));
      relays_.back()->start();
    }
    balancer_ =
        std::make_unique<harness::Haproxy>(shipped_configuration(), directory_ / "haproxy", network_.at(kBalancer));
    network_.run_at(kBroker, [&] { witness_ = std::make_unique<Witness>(broker_->endpoint()); });
    fleet_ = std::make_unique<Fleet>(
        std::vector{relays_[0].get(), relays_[1].get()},
        FleetOptions{.devices = options.devices, .messages_per_second = 1000, .behaviour = options.behaviour},
        Endpoint{kBalancer, kPort});
    network_.run_at(kDevices, [&] { fleet_->start(); });
    settle();
    fleet_->mark();
  }

  Network& network() { return network_; }
  Relay& relay(size_t number) { return *relays_[number]; }
  Fleet& fleet() { return *fleet_; }
  harness::Haproxy& balancer() { return *balancer_; }
  Deadline patience() const { return Deadline(std::chrono::seconds(60) * HARNESS_PATIENCE_FACTOR); }

  // Devices beside the fleet: one through HAProxy, and one straight to the broker.
  harness::Device device() { return device_from(kDevices, {kBalancer, kPort}); }
  harness::Device device_at_broker() { return device_from(kBroker, {kBroker, kPort}); }
  const harness::Identity& identity() const { return identity_; }

  // Which gateway has a newer session of the client id than these marks of their logs.
  size_t gateway_of(const std::string& client_id, const std::array<size_t, 2>& marks) {
    for (const Deadline deadline = patience(); !deadline.over();)
      for (size_t i = 0; i < 2; i++)
        for (const auto& line : relay(i).log().json({}, marks[i]))
          if (line.value("msg", "") == "session up" && line.value("client_id", "") == client_id) return i;
    throw harness::Failure("no gateway has a session of " + client_id);
  }
  std::array<size_t, 2> marks() { return {relay(0).log().mark(), relay(1).log().mark()}; }

  // Waits until /readyz answers 200 to HAProxy.
  void wait_ready(size_t number) {
    std::string answer;
    for (const auto deadline = patience(); !answer.starts_with("HTTP/1.1 200 ");) {
      if (deadline.over()) throw harness::Failure("/readyz does not become 200: " + answer);
      network_.run_at(kBalancer, [&] {
        harness::RawSocket socket(Endpoint{kGateways[number], kMonitor});
        socket.send("GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n");
        answer = socket.receive_to_end();
      });
    }
  }
  // Waits until HAProxy says that a gateway is UP or DOWN.
  void wait_balancer(size_t number, const std::string& state, size_t mark) {
    balancer_->log().wait_text("/gateway" + std::to_string(number + 1) + " is " + state, mark, patience());
  }

  // Whether no device had to wait for a gateway: HAProxy always had one, and no retry failed but for `most` in a row.
  bool always_one(size_t most = 0) {
    return balancer_->log().count_text("has no server available") == 0 &&
           fleet_->figures().seen.failed_in_a_row <= most;
  }

  // All devices are up, and messages flow.
  void settle() {
    fleet_->wait_all_up(patience());
    fleet_->wait_progress(fleet_->size() * 2, patience());
  }

  Figures finish() {
    settle();
    fleet_->stop_publishing_and_settle(patience());
    return account(*fleet_, *witness_, patience());
  }

 private:
  harness::Device device_from(const std::string& host, const Endpoint& to) {
    std::optional<harness::Device> made;
    network_.run_at(host, [&] { made.emplace(identity_, to); });
    return std::move(*made);
  }

  harness::TempDir directory_;
  Network network_;
  harness::Identity identity_ = harness::device_identity("p256", 1);
  std::unique_ptr<harness::Mosquitto> broker_;
  std::vector<std::unique_ptr<Relay>> relays_;
  std::unique_ptr<harness::Haproxy> balancer_;
  std::unique_ptr<Witness> witness_;
  std::unique_ptr<Fleet> fleet_;
};

void replace_program(const harness::fs::path& program) {
  const auto scratch = program.string() + ".new";
  harness::fs::copy_file(program, scratch);
  harness::fs::rename(scratch, program);
}

// What `systemctl stop`, `apt install` and `systemctl start` do, in the order of scale-out.md.
void upgrade(Gateways& gateways, size_t number) {
  auto& relay = gateways.relay(number);
  const auto said = gateways.balancer().log().mark();
  relay.relayd().signal(SIGTERM);
  CHECK(relay.relayd().wait(gateways.patience()).code == 0);
  relay.keyd().signal(SIGTERM);
  CHECK(relay.keyd().wait(gateways.patience()).code == 0);
  for (const char* program : {"keyd", "relayd"}) replace_program(relay.keys().parent_path() / program);
  gateways.wait_balancer(number, "DOWN", said);
  relay.start();
  gateways.wait_ready(number);
  gateways.wait_balancer(number, "UP", said);
  gateways.settle();
}

// How many of these moments lie in each of four equal parts of the time from the first to the last.
std::array<size_t, 4> quarters(const std::vector<Clock::time_point>& moments) {
  const auto [first, last] = std::minmax_element(moments.begin(), moments.end());
  const auto all = *last - *first + std::chrono::nanoseconds(1);
  std::array<size_t, 4> counts{};
  for (const auto moment : moments) ++counts[static_cast<size_t>((moment - *first) * 4 / all)];
  return counts;
}

}  // namespace

TEST_CASE(
    "gateways: both are upgraded in turn under load, nothing is lost, and no device needs more than its own retry",
    "[root]") {
  NEEDS_ROOT();
  Gateways gateways;
  upgrade(gateways, 0);
  upgrade(gateways, 1);
  const auto figures = gateways.finish();
  CHECK(figures.disturbed == figures.devices);  // each was on the first or on the second
  CHECK(gateways.always_one());
}

TEST_CASE("gateways: one is killed with its keyd, its devices go to the other, and nothing is lost", "[root]") {
  NEEDS_ROOT();
  Gateways gateways;
  const auto said = gateways.balancer().log().mark();
  auto& relay = gateways.relay(0);
  REQUIRE(::kill(-relay.relayd().pid(), SIGKILL) == 0);
  relay.relayd().kill();
  relay.keyd().kill();
  relay.log().wait_end(gateways.patience());  // no worker is left
  gateways.wait_balancer(0, "DOWN", said);
  const auto figures = gateways.finish();
  CHECK(figures.disturbed > 0);
  CHECK(figures.disturbed < figures.devices);
  CHECK(gateways.always_one(1));  // the workers of a relayd that is killed die one after another
}

TEST_CASE(
    "gateways: one loses its network without a word, and keep alive and health check bring its devices to the other",
    "[root]") {
  NEEDS_ROOT();
  Gateways gateways({.behaviour = {.keep_alive = 3}});
  const auto said = gateways.balancer().log().mark();
  gateways.network().pull(kGateways[0]);
  gateways.wait_balancer(0, "DOWN", said);
  gateways.fleet().wait_for([](const Figures& f) { return f.disturbed > 0; }, "devices noticed", gateways.patience());
  gateways.settle();
  gateways.network().plug(kGateways[0]);
  gateways.wait_balancer(0, "UP", said);
  const auto figures = gateways.finish();
  CHECK(figures.disturbed < figures.devices);
}

TEST_CASE("gateways: a drain lets its devices go one after another, and tells them of another gateway", "[root]") {
  NEEDS_ROOT();
  // At 200 a second, the most that leave without a reason to wait, they need three quarters of shutdown_timeout.
  const size_t devices = harness::under_sanitizer ? 240 : 800;
  const milliseconds spread(devices / 2 * 1000 / 200);
  Gateways gateways({.devices = devices, .workers = 1, .shutdown_timeout = spread * 4 / 3});
  gateways.relay(0).relayd().signal(SIGTERM);
  CHECK(gateways.relay(0).relayd().wait(gateways.patience()).code == 0);
  const auto figures = gateways.finish();
  const auto& moments = figures.seen.losses_at;
  REQUIRE(moments.size() >= 100);
  const auto counts = quarters(moments);
  const auto [first, last] = std::minmax_element(moments.begin(), moments.end());
  const auto took = std::chrono::duration_cast<milliseconds>(*last - *first);
  std::string text;
  for (const size_t count : counts) text += " " + std::to_string(count);
  print_figures("sessions ended in each quarter of " + seconds(took) + ":" + text);
  CHECK(took > spread / 2);
  CHECK(*std::max_element(counts.begin(), counts.end()) < moments.size() / 2);
  // "Use another server", to all who can be told.
  CHECK(figures.seen.disconnects.size() == 1);
  CHECK(figures.seen.disconnects.contains(0x9c));
  CHECK(gateways.always_one());
}

TEST_CASE("gateways: a device moves from one to the other, and gets there what it had not acknowledged", "[root]") {
  NEEDS_ROOT();
  Gateways gateways({.devices = 6});
  for (const size_t number : {0, 1}) gateways.relay(number).give_key("mover", gateways.identity().key);
  const auto before = gateways.marks();
  const mqtt::Connect persistent{.client_id = "mover", .clean = false};
  auto device = gateways.device();
  REQUIRE(mqtt::connack_code(device.connect(persistent)) == 0);
  REQUIRE(device.subscribe("any/move", 1) == 1);
  const auto first = gateways.gateway_of("mover", before);
  auto sender = gateways.device_at_broker();
  sender.join("sender").publish("any/move", "on its way", 1);
  gateways.relay(first).relayd().signal(SIGTERM);
  device.tls().read_to_end();  // the message, and the end; nothing was acknowledged

  const auto after = gateways.marks();
  std::optional<harness::Device> again;
  std::optional<mqtt::Packet> connack;
  for (const auto deadline = gateways.patience(); !connack;) {  // its own retry
    try {
      again.emplace(gateways.device());
      connack = again->connect(persistent);
    } catch (const harness::Failure&) {
      if (deadline.over()) throw;
    }
  }
  CHECK(mqtt::connack_code(*connack) == 0);
  CHECK(mqtt::session_present(*connack));
  CHECK(gateways.gateway_of("mover", after) == 1 - first);
  const auto message = again->next_message();
  CHECK(message.payload == "on its way");
  CHECK(message.dup);
  again->publish("any/answer", "here", 1);
  gateways.finish();
}
