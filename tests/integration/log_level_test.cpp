// `mqtt-relay log-level`: the level of relayd's log, and of one device's lines, while relayd runs.
#include <signal.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/office.h"
#include "tests/integration/harness/raw_tls.h"

using namespace harness;

namespace {

std::vector<Json> debug_lines(World& world, const std::string& client_id, size_t mark) {
  return world.relay().log().json(
      [&](const Json& line) { return line.value("level", "") == "debug" && line.value("client_id", "") == client_id; },
      mark);
}

// A session of this device comes up, and all its lines are there.
void come_and_go(World& world, const Identity& identity, const std::string& client_id) {
  const auto mark = world.relay().log().mark();
  auto device = world.device(identity);
  device.join(client_id);
  device.disconnect();
  device.tls().read_to_end();
  world.relay().log().wait_json(
      [&](const Json& line) {
        return line.value("event", "") == "session_closed" && line.value("client_id", "") == client_id;
      },
      "the end of " + client_id, mark);
}

// How many debug lines a session of this device writes.
size_t debug_of_a_session(World& world, const Identity& identity, const std::string& client_id) {
  const auto mark = world.relay().log().mark();
  come_and_go(world, identity, client_id);
  return debug_lines(world, client_id, mark).size();
}

std::string done(const Finished& asked) {
  CAPTURE(asked.out, asked.err);
  REQUIRE(asked.status.code == 0);
  return Json::parse(asked.out).value("message", "");
}

Json levels(Office& office) { return Json::parse(office.ask({"log-level"}).out).at("log"); }

}  // namespace

TEST_CASE("log-level --client writes one device's debug lines and no other's, through a worker's death and a reload") {
  Office office(1);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-a", identity);
  world.give_key("dev-b", identity);
  auto up = world.device(identity);
  up.join("dev-a");
  const auto mark = world.relay().log().mark();
  CHECK(done(office.ask({"log-level", "debug", "--client", "dev-a"}))
            .starts_with("the log level of this client id's sessions is debug, it was info; it holds through reloads"));
  const auto changed = world.relay().log().wait_json(
      [](const Json& line) { return line.value("event", "") == "log_level_changed"; }, "the change", mark);
  CHECK(changed.at("client_id") == "dev-a");
  CHECK(changed.at("old") == "info");
  CHECK(changed.at("new") == "debug");
  CHECK(changed.at("uid").is_number());
  CHECK(changed.at("pid").get<int>() > 0);
  CHECK(office.ask({"sessions"}).status.code == 0);  // the worker has obeyed what was sent before
  up.disconnect();                                   // a session that is up has its level, too
  world.relay().log().wait_json(
      [](const Json& line) { return line.value("event", "") == "session_state" && line.value("msg", "") == "closing"; },
      "a debug line", mark);
  CHECK(debug_of_a_session(world, identity, "dev-a") > 0);
  CHECK(debug_of_a_session(world, identity, "dev-b") == 0);

  SECTION("a worker's death") {
    const auto death = world.relay().log().mark();
    REQUIRE(kill(world.relay().workers().at(0), SIGKILL) == 0);
    world.relay().wait_worker_started(0, death);
  }
  SECTION("a reload, also with another log_level in the file") {
    world.relay().patch_relayd({{"log_level", "warning"}});
    REQUIRE(office.ask({"reload"}).status.code == 0);
    CHECK(levels(office).at("configured") == "warning");
    const auto kept = world.relay().log().wait_json(
        [](const Json& line) { return line.value("event", "") == "log_level_kept"; }, "the reminder", mark);
    CHECK(kept.at("level") == "warning");
    CHECK(kept.at("clients") == 1);
    world.relay().patch_relayd({{"log_level", "info"}});
    REQUIRE(office.ask({"reload"}).status.code == 0);
  }
  CHECK(debug_of_a_session(world, identity, "dev-a") > 0);
  CHECK(debug_of_a_session(world, identity, "dev-b") == 0);

  CHECK(done(office.ask({"log-level", "default", "--client", "dev-a"})) ==
        "the log level of this client id's sessions is info, it was debug; it is relayd's own again");
  CHECK(debug_of_a_session(world, identity, "dev-a") == 0);
  CHECK(done(office.ask({"log-level", "default", "--client", "dev-a"})) ==
        "this client id has no log level of its own");
}

TEST_CASE("log-level changes what all workers write, a reload keeps it and a restart does not") {
  Office office(2);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-a", identity);
  CHECK(debug_of_a_session(world, identity, "dev-a") == 0);
  done(office.ask({"log-level", "debug"}));
  for (int i = 0; i < 4; i++) CHECK(debug_of_a_session(world, identity, "dev-a") > 0);
  CHECK(levels(office) ==
        Json({{"level", "debug"}, {"configured", "info"}, {"by_command", true}, {"clients", Json::array()}}));
  REQUIRE(office.ask({"reload"}).status.code == 0);
  CHECK(debug_of_a_session(world, identity, "dev-a") > 0);
  CHECK(done(office.ask({"log-level", "default"})) == "relayd's log level is info, it was debug, as configured");
  CHECK(debug_of_a_session(world, identity, "dev-a") == 0);
  done(office.ask({"log-level", "debug"}));
  world.relay().relayd().signal(SIGTERM);
  REQUIRE(world.relay().relayd().wait().code == 0);
  world.relay().start_relayd();
  CHECK(levels(office).at("by_command") == false);
  CHECK(debug_of_a_session(world, identity, "dev-a") == 0);
}

TEST_CASE("log-level makes relayd silent up to errors but for one device, and the log says when that began and ended") {
  Office office(1);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-a", identity);
  world.give_key("dev-b", identity);
  const auto mark = world.relay().log().mark();
  done(office.ask({"log-level", "error"}));
  done(office.ask({"log-level", "info", "--client", "dev-a"}));
  auto quiet = world.device(identity);
  quiet.join("dev-b");
  quiet.disconnect();
  quiet.tls().read_to_end();
  come_and_go(world, identity, "dev-a");
  CHECK(
      world.relay().log().json([](const Json& line) { return line.value("client_id", "") == "dev-b"; }, mark).empty());
  done(office.ask({"log-level", "default"}));
  const auto changes =
      world.relay().log().json([](const Json& line) { return line.value("event", "") == "log_level_changed"; }, mark);
  REQUIRE(changes.size() == 2);  // dev-a's change came while relayd wrote only errors
  CHECK(changes[0].at("new") == "error");
  CHECK(changes[1].at("old") == "error");
}

TEST_CASE("log-level reaches the connector that runs, the one that replaces it, and the next monitor") {
  const Endpoint metrics{own_address(), ports::direct};
  Office office(1, {{"metrics", {{"bind", metrics.text()}}}});
  LineLog& log = office.world.relay().log();
  // Kills both; returns how many lines their successors have written once they serve.
  const auto replaced = [&] {
    const auto mark = log.mark();
    const auto now = [&] { return Json::parse(office.ask({"status"}).out); };
    const Json before = now();
    REQUIRE(kill(before.at("connectors").at(0).at("pid").get<pid_t>(), SIGKILL) == 0);
    REQUIRE(kill(before.at("monitor").at("pid").get<pid_t>(), SIGKILL) == 0);
    const auto again = [](const Json& one, const Json& dead) {
      return one.at("state") == "serving" && one.at("pid") != dead.at("pid");
    };
    for (const Deadline deadline = patience();;) {
      const Json status = now();
      if (again(status.at("connectors").at(0), before.at("connectors").at(0)) &&
          again(status.at("monitor"), before.at("monitor")))
        break;
      if (deadline.over()) throw Failure("they are not replaced: " + status.dump());
    }
    RawSocket client(metrics);
    client.send("GET /readyz HTTP/1.1\r\nHost: relay\r\n\r\n");
    REQUIRE(client.receive_to_end().starts_with("HTTP/1.1 "));
    return log
        .json(
            [](const Json& line) {
              const std::string program = line.value("program", "");
              return program == "mqtt-relayd-connector" || program == "mqtt-relayd-monitor";
            },
            mark)
        .size();
  };
  done(office.ask({"log-level", "error"}));
  CHECK(replaced() == 0);
  done(office.ask({"log-level", "info"}));
  CHECK(replaced() >= 2);
  CHECK(log.count_text("order_unknown") == 0);  // the connector understood what it was told while it ran
}

TEST_CASE("log-level --for takes the level back by itself") {
  Office office(1);
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-a", identity);
  const auto mark = world.relay().log().mark();
  const auto asked = office.ask({"log-level", "debug", "--client", "dev-a", "--for", "2s"});
  CHECK(done(asked).find("until 2 s are over") != std::string::npos);
  CHECK(Json::parse(asked.out).at("log").at("clients").at(0).at("seconds_left") == 2);
  const auto over = world.relay().log().wait_json(
      [](const Json& line) { return line.value("event", "") == "log_level_over"; }, "the end of its time", mark);
  CHECK(over.at("client_id") == "dev-a");
  CHECK(over.at("new") == "info");
  CHECK(levels(office).at("clients").empty());
  CHECK(debug_of_a_session(world, identity, "dev-a") == 0);
}

TEST_CASE("log-level, pause and resume reach a worker that read no orders, as soon as it does") {
  Office office(1, {{"worker_watchdog", "60s"}});
  World& world = office.world;
  const auto identity = device_identity("p256", 1);
  world.give_key("dev-a", identity);
  const pid_t worker = world.relay().workers().at(0);
  REQUIRE(kill(worker, SIGSTOP) == 0);
  for (const Deadline deadline = patience(); office.ask({"log-level", "debug", "--client", "dev-a"}).status.code == 0;)
    REQUIRE_FALSE(deadline.over());  // its queue has no end
  const auto asked = office.ask({"log-level", "default", "--client", "dev-a"});
  CHECK(asked.status.code == 1);
  CHECK(asked.err.find("it is set, but a process of relayd does not read its orders") != std::string::npos);
  for (int i = 0; i < 2; i++) {
    const auto paused = office.ask({"pause"});
    CHECK(paused.status.code == 1);
    CHECK(paused.err.find("it is set, but a worker does not read its orders") != std::string::npos);
  }
  CHECK(office.ask({"resume"}).status.code == 1);
  REQUIRE(kill(worker, SIGCONT) == 0);
  for (const Deadline deadline = patience(); debug_of_a_session(world, identity, "dev-a") > 0;)
    REQUIRE_FALSE(deadline.over());
  CHECK(world.relay().workers().at(0) == worker);
}

TEST_CASE("log-level says what is wrong with a level, a client id, a time, or the 17th client id") {
  Office office(1);
  const auto refused = [&](const std::vector<std::string>& words, int code, const std::string& why) {
    const auto asked = office.ask(words);
    CAPTURE(asked.out, asked.err);
    CHECK(asked.status.code == code);
    CHECK(asked.err.find(why) != std::string::npos);
  };
  refused({"log-level", "loud"}, 64, "found \"loud\"; allowed: debug, info, warning, error, default");
  refused({"log-level", "debug", "--for", "8d"}, 64, "found \"8d\"; allowed: 1s to 168h");
  refused({"log-level", "--for", "5m"}, 64, "--for needs a LEVEL that it ends");
  refused({"log-level", "--client", "a"}, 64, "--client needs a LEVEL");
  refused({"log-level", "debug", "--client", "caf\xe9"}, 64, "found a word that is not UTF-8");
  refused({"log-level", "debug", "--client", std::string(252, 'x')}, 1, "found a client id of 252 bytes");
  for (int i = 0; i < 16; i++) done(office.ask({"log-level", "debug", "--client", "dev-" + std::to_string(i)}));
  refused({"log-level", "debug", "--client", "dev-16"}, 1,
          "16 client ids have a level of their own, the most that can");
  CHECK(levels(office).at("clients").size() == 16);
}

TEST_CASE("log-level is for root and relayd's user only") {
  if (geteuid() != 0) {
    WARN("SKIPPED: needs root to become another user");
    return;
  }
  Office office(1);
  const fs::path config = office.directory / "relayd.json";
  fs::copy_file(office.world.relay().relayd_configuration(), config);
  fs::permissions(config, fs::perms(0644));
  auto command = office.world.relay().operator_command({"log-level", "debug", "--config", config});
  command.user = keyd_user;
  const auto refused = run(command);
  CAPTURE(refused.out, refused.err);
  CHECK(refused.status.code == 69);
  CHECK(refused.err.find("only root and relayd's user may ask") != std::string::npos);
  CHECK(levels(office).at("by_command") == false);
  command.user = relay_user;
  CHECK(run(command).status.code == 0);
  CHECK(levels(office).at("by_command") == true);
}
