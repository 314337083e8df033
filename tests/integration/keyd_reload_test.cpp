// keyd takes a changed configuration over while it serves, whole or not at all, and nobody notices.

#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <future>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// Sends SIGHUP; returns the log line with the outcome.
Json reload(World& world) {
  Process& keyd = world.relay().keyd();
  const size_t mark = keyd.err().mark();
  keyd.signal(SIGHUP);
  return keyd.err().wait_json(
      [](const Json& line) {
        const std::string msg = line.value("msg", "");
        return msg == "keyd reloaded its configuration" || msg == "reload failed; nothing has changed";
      },
      "the outcome of keyd's reload", mark);
}

std::string changed(World& world) { return reload(world).value("changed", "failed"); }
std::string refusal(World& world) { return reload(world).value("cause", "none"); }

int connack_of(World& world, const Identity& identity, const std::string& id) {
  auto device = world.device(identity);
  return mqtt::connack_code(device.connect({.client_id = id}));
}

void await_session(World& world, const Identity& identity, const std::string& id) {
  const Deadline deadline = patience();
  while (connack_of(world, identity, id) != 0) REQUIRE_FALSE(deadline.over());
}

bool has(const std::string& text, std::string_view part) {
  INFO(text << "\nmust have: " << part);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a reload of keyd applies a changed rate at once, and takes it back", "[keyd-reload]") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  CHECK(connack_of(world, identity, "thermo") == 0);
  world.relay().patch_keyd({{"key_rate", "1/h"}, {"log_level", "debug"}});
  CHECK(changed(world) == "key_rate, log_level");
  CHECK(changed(world) == "nothing");
  // An hour's bucket holds one signature. The one before may count for another 10 ms.
  await_session(world, identity, "thermo");
  CHECK(connack_of(world, identity, "thermo") == 3);
  world.relay().audit().wait_text("key_rate");
  world.relay().patch_keyd({{"key_rate", nullptr}, {"log_level", nullptr}});
  CHECK(changed(world) == "key_rate, log_level");
  await_session(world, identity, "thermo");  // not after an hour
}

TEST_CASE("a reload of keyd reads the drop-ins again", "[keyd-reload]") {
  World world;
  const fs::path folder = world.relay().keyd_configuration().string() + ".d";
  fs::create_directory(folder);
  write_file(folder / "10-queue.json", R"({ "max_queue": 17 })");
  chmod(folder.c_str(), 0755), chmod((folder / "10-queue.json").c_str(), 0644);
  CHECK(changed(world) == "max_queue");
  write_file(folder / "10-queue.json", R"({ "max_queue": 0 })");
  has(refusal(world), "10-queue.json: line 1: max_queue: found 0 (number)");
  fs::remove(folder / "10-queue.json");
  CHECK(changed(world) == "max_queue");
}

TEST_CASE("a reload of keyd that can't be whole changes nothing and names what needs a restart", "[keyd-reload]") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  const pid_t pid = world.relay().keyd().pid();
  world.relay().patch_keyd({{"key_rate", "1/h"}, {"require_presence", false}, {"signers", 7}});
  has(refusal(world), "require_presence, signers can't be changed by a reload; restart keyd");
  for (int i = 0; i < 3; i++) CHECK(connack_of(world, identity, "thermo") == 0);  // key_rate is as before
  world.relay().patch_keyd({{"require_presence", nullptr}, {"signers", nullptr}, {"key_rat", "1/h"}});
  has(refusal(world), "key_rat: unknown key; did you mean \"key_rate\"?");
  write_file(world.relay().keyd_configuration(), "{ \"socket\": }");
  has(refusal(world), "keyd.json: line 1, column 13: found }");
  CHECK(connack_of(world, identity, "thermo") == 0);
  CHECK(world.relay().keyd().pid() == pid);
  CHECK(world.relay().keyd().running());
}

TEST_CASE("while keyd reloads 20 times under load, no session is lost and no device is refused", "[keyd-reload]") {
  World world;
  std::vector<Identity> identities;
  std::vector<Device> sessions;
  for (int i = 1; i <= 4; i++) {
    identities.push_back(device_identity("p256", i));
    world.give_key("session-" + std::to_string(i), identities.back());
    world.give_key("visitor-" + std::to_string(i), identities.back());
    sessions.push_back(world.device(identities.back()));
    sessions.back().join("session-" + std::to_string(i));
  }
  std::atomic<bool> over = false;
  std::vector<std::future<std::pair<int, int>>> visitors;  // connections that came up, and that did not
  struct End {
    std::atomic<bool>& over;
    ~End() { over = true; }
  };
  for (int i = 1; i <= 4; i++)
    visitors.push_back(std::async(std::launch::async, [&, i] {
      std::pair<int, int> count{0, 0};
      while (!over) {
        const int code = connack_of(world, identities[static_cast<size_t>(i - 1)], "visitor-" + std::to_string(i));
        (code == 0 ? count.first : count.second)++;
      }
      return count;
    }));
  const End end{over};  // also after a failure
  for (int i = 0; i < 20; i++) {
    world.relay().patch_keyd({{"max_queue", 1000 + i}, {"worker_rate", std::to_string(4000 + i) + "/s"}});
    CHECK(changed(world) == "worker_rate, max_queue");
    for (auto& session : sessions) session.publish("any/" + std::to_string(i), "still here", 1);
  }
  over = true;
  int served = 0;
  for (auto& visitor : visitors) {
    const auto [good, bad] = visitor.get();
    served += good;
    CHECK(bad == 0);
  }
  CHECK(served >= 20);
  for (auto& session : sessions) session.ping();
  CHECK(world.relay().log().count_text("keyd is not reachable") == 0);
}

TEST_CASE("the process that reads keyd's configuration has no key, and its death leaves keyd serving",
          "[keyd-reload]") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  CHECK(connack_of(world, identity, "thermo") == 0);
  const auto children = children_of(world.relay().keyd().pid());
  REQUIRE(children.size() == 1);
  CHECK(fs::directory_iterator("/proc/" + std::to_string(children[0]) + "/fd") != fs::directory_iterator());
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(children[0]) + "/fd"))
    CHECK((entry.path().filename() == "2" || entry.path().filename() == "3"));  // the log, and keyd
  REQUIRE(kill(children[0], SIGKILL) == 0);
  world.relay().keyd().err().wait_text("the process that reads the configuration has ended");
  has(refusal(world), "the process that reads the configuration has ended; restart keyd");
  CHECK(connack_of(world, identity, "thermo") == 0);
}
