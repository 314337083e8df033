// The commands about sessions: sessions, session, drop.
#include <signal.h>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <sstream>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/office.h"

using namespace harness;

namespace {

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("sessions lists each session with its device, state, route and numbers, a line of JSON each") {
  Office office(2);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-1", identity);
  auto one = world.device(identity);
  one.join("dev-1", mqtt::v5);
  one.publish("any/topic", "twelve bytes", 1);
  auto two = world.device(identity);
  two.join("local 1");  // without a key
  const Device idle = world.device(identity);

  const auto asked = office.ask({"sessions"});
  CAPTURE(asked.out, asked.err);
  REQUIRE(asked.status.code == 0);
  CHECK(asked.err.empty());
  auto lines = lines_of(asked.out);
  REQUIRE(lines.size() == 3);
  const auto of = [&](const std::string& id) {
    const auto found =
        std::ranges::find_if(lines, [&](const Json& line) { return line.value("client_id", "?") == id; });
    REQUIRE(found != lines.end());
    return *found;
  };
  const Json first = of("dev-1");
  CHECK(first.at("state") == "relaying");
  CHECK(first.at("route") == "remote");
  CHECK(first.at("broker") == world.remote->endpoint().host);
  CHECK(first.at("device").get<std::string>().starts_with("127.0.0.1:"));
  CHECK(first.at("messages_up") == 1);
  CHECK(first.at("messages_down") == 0);
  CHECK(first.at("bytes_up") > 30);
  CHECK(first.at("keep_alive").is_number());
  CHECK(first.at("tls") == "TLSv1.3");
  CHECK(first.at("session").get<std::string>().size() == 16);
  CHECK(first.contains("since"));
  CHECK(of("local 1").at("route") == "local");
  CHECK(of("?").at("state") == "awaiting_connect");

  CHECK(lines_of(office.ask({"sessions", "--client", "dev-*"}).out).size() == 1);
  CHECK(lines_of(office.ask({"sessions", "--client", "nobody*"}).out).empty());
  CHECK(lines_of(office.ask({"sessions", "--limit", "1"}).out).size() == 1);
  one.ping();
}

TEST_CASE("session shows one session whole, and says if there is none") {
  Office office(2);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-1", identity);
  auto device = world.device(identity);
  device.join("dev-1", mqtt::v5);
  const std::string id = lines_of(office.ask({"sessions"}).out).at(0).at("session");

  const auto asked = office.ask({"session", id});
  CAPTURE(asked.out, asked.err);
  REQUIRE(asked.status.code == 0);
  const Json shown = Json::parse(asked.out);
  CHECK(shown.at("session") == id);
  CHECK(shown.at("client_id") == "dev-1");
  CHECK(shown.at("mqtt") == "5.0");
  CHECK(shown.at("broker_tls") == "TLSv1.3");
  CHECK(shown.at("websocket") == false);
  CHECK(shown.at("broker_from").get<std::string>().find(':') != std::string::npos);

  const auto none = office.ask({"session", "0123456789abcdef"});
  CHECK(none.status.code == 1);
  CHECK(none.err.find("there is no session 0123456789abcdef; it may have ended") != std::string::npos);
  const auto wrong = office.ask({"session", "dev-1"});
  CHECK(wrong.status.code == 1);
  CHECK(wrong.err.find("16 hexadecimal digits") != std::string::npos);
}

TEST_CASE("drop ends one session of several with the same client id, by its id") {
  Office office(1);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  auto stays = world.device(identity), goes = world.device(identity);
  stays.join("local-1");
  goes.join("local-2", mqtt::v5);
  const std::string id = lines_of(office.ask({"sessions", "--client", "local-2"}).out).at(0).at("session");
  const auto dropped = office.ask({"drop", "--session", id});
  CAPTURE(dropped.out, dropped.err);
  CHECK(dropped.status.code == 0);
  CHECK(dropped.out == "ended 1 session " + id + "\n");
  const auto last = goes.tls().read_packet();
  CHECK(last.type() == mqtt::Type::disconnect);
  CHECK(static_cast<uint8_t>(last.body.at(0)) == 0x98);
  stays.ping();
  CHECK(office.ask({"drop", "local-1"}).status.code == 0);
}

TEST_CASE("sessions names a worker that hangs, lists the others' sessions and exits with 1") {
  Office office(2);
  World& world = office.world;
  const auto hanging = world.relay().workers().at(1);
  REQUIRE(kill(hanging, SIGSTOP) == 0);
  const auto asked = office.ask({"sessions"});
  REQUIRE(kill(hanging, SIGCONT) == 0);
  CAPTURE(asked.out, asked.err);
  CHECK(asked.status.code == 1);
  CHECK(asked.err.find("(pid " + std::to_string(hanging) + ") said nothing for 5 s") != std::string::npos);
}

// Prints its figures in one line. The devices are with the built-in broker.
TEST_CASE("sessions of thousands of devices hardly delay a message", "[.][long]") {
  using Clock = std::chrono::steady_clock;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const size_t count = std::min<size_t>(4000, limit.rlim_cur / 4);
  Office office(2, {{"local", nullptr}});
  const auto identity = device_identity("p256", 1);
  std::vector<Device> devices;
  for (size_t i = 0; i < count; i++) {
    devices.push_back(office.world.device(identity));
    devices.back().join("device-" + std::to_string(i));
  }
  const auto round_trips = [&](auto until) {
    std::vector<double> all;
    for (size_t i = 0; !until(i); i++) {
      const auto begun = Clock::now();
      devices[i % devices.size()].ping();
      all.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
    }
    std::ranges::sort(all);
    return all[all.size() * 99 / 100];
  };
  const double quiet = round_trips([](size_t i) { return i == 5000; });
  double slowest = 0;
  auto listing = std::async(std::launch::async, [&] {
    for (int i = 0; i < 10; i++) {
      const auto begun = Clock::now();
      const auto asked = office.ask({"sessions"});
      slowest = std::max(slowest, std::chrono::duration<double>(Clock::now() - begun).count());
      if (static_cast<size_t>(std::ranges::count(asked.out, '\n')) != count) return false;
    }
    return true;
  });
  const double busy =
      round_trips([&](size_t) { return listing.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  CHECK(listing.get());
  printf("sessions: %zu devices, slowest list %.2f s, p99 of a PINGREQ %.2f ms without and %.2f ms with lists\n", count,
         slowest, quiet, busy);
  CHECK(slowest < 5);
  CHECK(busy < 100);
}
