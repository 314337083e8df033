// `mqtt-relay top`, without a relay and without a terminal: rates, order, and what is shown where.
#include "common/operator/terminal.h"
#include "relayd/admin/top_layout.h"
#include "relayd/supervisor/status.h"
#include "tests/unit/catch.h"

using namespace relayd;
using namespace relayd::admin;
using std::chrono::seconds;

namespace {

constexpr int64_t kClock = 1'790'000'000;  // 2026-09-21 14:13:20

Json session(const std::string& id, const std::string& client, uint64_t age, uint64_t bytes, uint64_t messages) {
  return {{"session", id},       {"client_id", client},     {"device", "10.0.0.7:40000"},
          {"state", "relaying"}, {"route", "remote"},       {"seconds", age},
          {"bytes_up", bytes},   {"bytes_down", bytes / 2}, {"messages_up", messages}};
}

void list(DeviceRates& rates, int at, const std::vector<Json>& sessions) {
  rates.begin(DeviceRates::Clock::time_point(seconds(at)));
  for (const Json& one : sessions) rates.add(one);
  rates.end(sessions.size());
}

std::vector<std::string> clients(const DeviceRates& rates, DeviceOrder order, size_t most = 10) {
  std::vector<std::string> ids;
  for (const auto& one : rates.first(order, most)) ids.push_back(one.client_id);
  return ids;
}

// A relay with two workers, refusals and devices.
struct Seen {
  Scoreboard worker;
  Counters ended{};
  Status status;
  TopSight sight;

  Seen() {
    status.generation = 1;
    status.bind = "0.0.0.0:8883";
    status.remote = "broker.example";
    status.brokers = {"broker.example:8883"};
    status.ended = &ended;
    status.workers = {{0, 1, 71, "serving", 0, &*worker}, {1, 1, 72, "serving", 0, &*worker}};
  }
  nlohmann::json json() const { return nlohmann::json::parse(to_json(status)); }
  void look(const nlohmann::json* before = nullptr, double over = 1) {
    const auto now = json();
    sight.model = top_model({now, before, over, kClock});
  }
  void add_devices(size_t count) {
    DeviceRates rates;
    std::vector<Json> all;
    for (size_t i = 0; i < count; i++)
      all.push_back(session(std::to_string(i), "device-" + std::to_string(1000 + i), 60, 1000 * i, i));
    list(rates, 0, all);
    list(rates, 1, all);
    sight.devices = rates.first(DeviceOrder::client, 100);
    sight.all_sessions = sight.listed = count;
  }
};

// The picture as text. Fails if a piece is not within the screen, or over another one.
std::vector<std::string> text_of(const Picture& picture, int width, int height) {
  REQUIRE(picture.size() <= static_cast<size_t>(height));
  std::vector<std::string> lines;
  for (const auto& pieces : picture) {
    std::string line;
    int x = 0;
    for (const Piece& piece : pieces) {
      CAPTURE(piece.text, piece.x, piece.columns);
      REQUIRE(piece.x >= x);
      REQUIRE(piece.x + piece.columns <= width);
      REQUIRE(common::width_of(piece.text) <= static_cast<size_t>(piece.columns));
      line += std::string(static_cast<size_t>(piece.x - x), ' ') + piece.text;
      x = piece.x + static_cast<int>(common::width_of(piece.text));
    }
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> shown(const Seen& seen, int width, int height, const TopChoice& choice = {}) {
  return text_of(top_layout(seen.sight, choice, width, height), width, height);
}

size_t line_with(const std::vector<std::string>& lines, const std::string& text) {
  for (size_t i = 0; i < lines.size(); i++)
    if (lines[i].find(text) != std::string::npos) return i;
  return std::string::npos;
}

bool has(const std::vector<std::string>& lines, const std::string& text) {
  return line_with(lines, text) != std::string::npos;
}

}  // namespace

TEST_CASE("device rates: there are none before the second list, then they are of the time between the lists", "[top]") {
  DeviceRates rates;
  list(rates, 10, {session("a", "dev-1", 60, 1000, 10)});
  CHECK_FALSE(rates.first(DeviceOrder::bytes, 1).at(0).bytes_up);
  list(rates, 14, {session("a", "dev-1", 64, 5000, 18)});
  const DeviceSession one = rates.first(DeviceOrder::bytes, 1).at(0);
  CHECK(one.bytes_up == 1000);
  CHECK(one.bytes_down == 500);
  CHECK(one.messages_rate == 2);
  CHECK(one.bytes == 7500);
}

TEST_CASE("device rates: a new session counts from its begin, an older one that was not listed has no rate yet",
          "[top]") {
  DeviceRates rates;
  list(rates, 10, {session("a", "dev-1", 60, 1000, 10)});
  list(rates, 12, {session("a", "dev-1", 62, 1000, 10), session("b", "new", 1, 400, 4), session("c", "old", 99, 7, 7)});
  for (const auto& one : rates.first(DeviceOrder::client, 9)) {
    CAPTURE(one.client_id);
    CHECK(one.bytes_up.has_value() == (one.client_id != "old"));
    if (one.client_id == "new") CHECK(one.bytes_up == 200);
  }
  // A worker's numbers are claims: less than before is no rate below 0.
  list(rates, 13, {session("a", "dev-1", 63, 5, 0)});
  CHECK(rates.first(DeviceOrder::bytes, 1).at(0).bytes_up == 0);
  rates.clear();
  CHECK(rates.first(DeviceOrder::bytes, 1).empty());
}

TEST_CASE("device rates: the order is the one that was asked for, and equal rows keep their places", "[top]") {
  DeviceRates rates;
  const auto at = [](uint64_t k) {
    return std::vector<Json>{session("1", "b", 300, 90'000 + 100 * k, 50),
                             session("2", "a", 200, 500 + 900 * k, 10 * k), session("3", "c", 100, 10, 2 * k),
                             session("4", "d", 400, 10, 2 * k)};
  };
  list(rates, 0, at(0));
  list(rates, 1, at(1));
  using Ids = std::vector<std::string>;
  CHECK(clients(rates, DeviceOrder::bytes) == Ids{"a", "b", "c", "d"});
  CHECK(clients(rates, DeviceOrder::messages) == Ids{"a", "c", "d", "b"});
  CHECK(clients(rates, DeviceOrder::total) == Ids{"b", "a", "c", "d"});
  CHECK(clients(rates, DeviceOrder::age) == Ids{"c", "a", "b", "d"});
  CHECK(clients(rates, DeviceOrder::client) == Ids{"a", "b", "c", "d"});
  CHECK(clients(rates, DeviceOrder::bytes, 2) == Ids{"a", "b"});
}

TEST_CASE("device rates: a list is bounded, whatever the workers send", "[top]") {
  DeviceRates rates;
  rates.begin(DeviceRates::Clock::time_point(seconds(1)));
  const Json one = session("", std::string(4000, 'x'), 1, 1, 1);
  for (size_t i = 0; i < DeviceRates::kMost + 10; i++) rates.add(one);
  CHECK(rates.full());
  rates.end(1'000'000);
  CHECK(rates.listed() == DeviceRates::kMost);
  CHECK(rates.first(DeviceOrder::bytes, 1).at(0).client_id.size() == DeviceRates::kLongestText);
  CHECK(rates.all() == 1'000'000);
}

TEST_CASE("top: the causes of refusals that go on stand before those that are over", "[top]") {
  Seen seen;
  seen.worker->refused[0] = 500;
  const auto before = seen.json();
  seen.worker->handshake_failures[static_cast<size_t>(HandshakeFailure::unknown_ca)] = 3;
  seen.look(&before, 2);
  REQUIRE(seen.sight.model.refusals.size() == 2);
  CHECK(seen.sight.model.refusals[0].cause == "unknown ca");
  CHECK(seen.sight.model.refusals[0].rate == 3);  // both workers have this page of counters
  const auto lines = shown(seen, 80, 24);
  CHECK(line_with(lines, "unknown ca") < line_with(lines, "1,000"));
  CHECK(lines[1].starts_with("Ready: new devices are accepted"));
  CHECK(lines[1].ends_with("  3.00/s refused or failed"));
}

TEST_CASE("top at 80 by 24 shows state, headlines, workers, refusals, devices and keys", "[top]") {
  Seen seen;
  seen.worker->refused[0] = 5;
  const auto before = seen.json();
  seen.worker->messages_up = 100;
  seen.worker->bytes_up = 4096;
  seen.look(&before);
  seen.add_devices(40);
  const auto lines = shown(seen, 80, 24);
  REQUIRE(lines.size() == 24);
  CHECK(lines[0].starts_with("mqtt-relay "));
  CHECK(lines[0].ends_with("2026-09-21 14:13:20 UTC"));
  CHECK(lines[1] == "Ready: new devices are accepted");
  CHECK(lines[2].starts_with("Sessions"));
  CHECK(lines[2].find("WORKER STATE") != std::string::npos);
  CHECK(lines[3].find("serving") != std::string::npos);
  CHECK(lines[5].find("200  ↑ 200  ↓ 0") != std::string::npos);
  CHECK(lines[6].find("8.00 KiB  ↑ 8.00 KiB  ↓ 0 B") != std::string::npos);
  CHECK(lines[8].starts_with("REFUSED AND FAILED"));
  CHECK(has(lines, "BUSIEST DEVICES, BY bytes/s  40 sessions"));
  CHECK(has(lines, "device-1000"));
  CHECK(lines[23].starts_with("q quit"));
}

TEST_CASE("top fits every screen, and shows first whether anything is wrong", "[top]") {
  Seen seen;
  seen.worker->refused[0] = 5;
  seen.worker->log_dropped = 4;
  seen.status.workers.push_back({2, 1, 0, "quarantined", 3, nullptr});
  seen.look();
  seen.add_devices(100);
  CHECK(shown(seen, 0, 0).empty());
  CHECK(shown(seen, 1, 1) == std::vector<std::string>{"…"});
  for (int width : {1, 2, 17, 40, 60, 77, 78, 80, 119, 120, 132, 200})
    for (int height : {1, 2, 3, 4, 5, 10, 24, 29, 30, 40, 60}) {
      CAPTURE(width, height);
      const auto lines = shown(seen, width, height);
      CHECK(lines.size() <= static_cast<size_t>(height));
      if (width >= 40 && height >= 2) CHECK(lines[1] == "Ready: new devices are accepted");
      if (width >= 40 && height >= 10) CHECK(has(lines, "! Worker 2 is in quarantine"));
      if (width >= 40 && height >= 24) CHECK(has(lines, "device-1000"));
    }
  const auto small = shown(seen, 40, 10);
  CHECK(has(small, "Sessions"));
  CHECK(small.back().starts_with("q quit"));
  const auto large = shown(seen, 200, 60);
  for (const char* text : {"TIMES", "keyd, sign", "REFUSED AND FAILED", "CONNECTIONS", "SESSION ", "10.0.0.7:40000"})
    CHECK(has(large, text));
  CHECK(shown(seen, 80, 24, {.help = true}).at(3).starts_with("q        quit"));
}

TEST_CASE("top shows the workers that don't serve first, and counts those that find no room", "[top]") {
  Seen seen;
  for (int i = 2; i < 64; i++) seen.status.workers.push_back({i, 1, 80, "serving", 0, &*seen.worker});
  seen.status.workers[50].state = "waiting";
  seen.look();
  const auto lines = shown(seen, 80, 24);
  CHECK(lines[3].find("50     waiting") != std::string::npos);
  CHECK(has(lines, "60 more, all serving"));
}

TEST_CASE("top says since when relayd doesn't answer, that it is paused, and which sessions are not compared",
          "[top]") {
  Seen seen;
  seen.look();
  seen.add_devices(3);
  seen.sight.away = "/run/x.sock: Connection refused";
  seen.sight.away_since = kClock + 5;
  seen.sight.all_sessions = 60'000;
  seen.sight.listed = 50'000;
  seen.sight.list_seconds = 20;
  seen.sight.list_problems = {"worker 1 said nothing for 5 s"};
  const auto lines = shown(seen, 80, 24, {.paused = true});
  CHECK(lines[0].find("PAUSED  2026-") != std::string::npos);
  CHECK(lines[1] == "relayd doesn't answer since 14:13:25 UTC; what follows is of 14:13:20 UTC");
  CHECK(lines[2].starts_with("! /run/x.sock: Connection refused"));
  CHECK(lines[3].starts_with("! worker 1 said nothing for 5 s"));
  CHECK(has(lines, "50,000 of 60,000 sessions, every 20 s"));
  seen.sight.away.clear();
  seen.sight.model.why_not_ready = "keyd is away";
  CHECK(shown(seen, 80, 24).at(1) == "Not ready: keyd is away");
}

TEST_CASE("nothing that top shows can do anything to a terminal", "[top]") {
  Seen seen;
  const std::string evil = "\x1b]0;owned\x07\x1b[2J\u009b\u202e\n";
  seen.status.bind = seen.status.remote = evil;
  seen.status.trust = {{trust::Concern::Kind::expired, evil, evil, evil, evil}};
  seen.look();
  seen.sight.devices = {{.session = evil, .client_id = evil, .address = evil, .state = evil, .route = evil},
                        {.session = evil, .client_id = "", .address = evil, .state = evil, .route = evil}};
  seen.sight.away = evil;
  seen.sight.list_problems = {evil};
  for (int width : {40, 80, 200})
    for (const auto& pieces : top_layout(seen.sight, {}, width, 60))
      for (const Piece& piece : pieces) {
        CAPTURE(piece.text);
        // Escaping once more changes only backslashes: there is nothing left to escape.
        std::string twice = common::visible(piece.text);
        for (size_t at = 0; (at = twice.find("\\\\", at)) != twice.npos; at++) twice.erase(at, 1);
        CHECK(twice == piece.text);
      }
}

TEST_CASE("top's JSON line has numbers for everything that its screen shows", "[top]") {
  Seen seen;
  const auto before = seen.json();
  seen.worker->messages_up = 6;
  seen.worker->refused[0] = 2;
  seen.look(&before, 2);
  seen.add_devices(1);
  const std::string text = top_line(seen.sight);
  CHECK(text.find('\n') == text.size() - 1);
  const Json line = Json::parse(text);
  CHECK(line.at("time") == "2026-09-21T14:13:20Z");
  CHECK(line.at("seconds") == 2);
  CHECK(line.at("messages_up_per_second") == 6);
  CHECK(line.at("refused").at(0).at("where") == "CONNACK");
  CHECK(line.at("refused").at(0).at("per_second") == 2);
  CHECK(line.at("devices").at(0).at("client_id") == "device-1000");
  CHECK(line.at("workers").at(0).at("state") == "serving");
  CHECK(line.at("keyd").at(1).at("of") == "sign");
}
