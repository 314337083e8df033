// What an attacker in a worker gains by what it says to its supervisor or writes into shared memory: nothing.
#include <signal.h>

#include <future>

#include "common/json_line.h"
#include "relayd/handover/plan.h"
#include "tests/captured/gateway.h"

using namespace captured;
using namespace harness;

namespace {

std::string say(std::string_view bytes, int times = 1) {
  return "say " + std::to_string(times) + " " + common::hex(bytes.data(), bytes.size());
}

}  // namespace

TEST_CASE("captured worker: malformed messages to the supervisor are ignored") {
  must_fail({{say("?"), "done"},
             {say(std::string(4096, '\xff')), "done"},
             {say(std::string(60'000, 'R')), "done"},
             {say("D"), "done"},
             {say(std::string("D") + std::string(7, '\0')), "done"},
             {say(std::string("D") + std::string(64, '\xff')), "done"}});
}

TEST_CASE("captured worker: it can't flood the supervisor") {
  for (const Layout layout : kLayouts) {
    Gateway gateway(layout);
    for (int i = 0; i < 20; i++) gateway.attack(say("R", 100'000));
    gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: an answer to an order that was never given changes nothing") {
  must_fail({{say(std::string("D\x01\0\0\0\x09\0\0\0", 9), 100), "done"}});
}

TEST_CASE("captured worker: that it has closed its listener, unasked, ends neither the listener nor the slot") {
  Gateway gateway(Layout::own);
  const auto mark = gateway.relay().log().mark();
  CHECK(gateway.attack(say({&relayd::kClosed, 1}, 100)) == "done");
  gateway.attack("die " + std::to_string(SIGKILL));
  gateway.relay().wait_worker_started(0, mark);
  gateway.is_unharmed();
}

TEST_CASE("captured worker: an answer that it repeats is not counted as another worker's") {
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);  // relayd runs as another user
  Gateway gateway(Layout::own, {.relayd = {{"control_socket", directory / "control.sock"}}});
  const pid_t other = gateway.relay().workers().at(1);
  REQUIRE(kill(other, SIGSTOP) == 0);
  auto asked = std::async(std::launch::async, [&] { return gateway.relay().ask_relayd({"disconnect", "steady"}); });
  gateway.relay().log().wait_text("answered an order twice");
  REQUIRE(kill(other, SIGCONT) == 0);
  CHECK(asked.get().out == "ended 1 session of \"steady\"\n");
  gateway.steady.emplace(gateway.newcomer("steady"));
  gateway.is_unharmed();
}

TEST_CASE("captured worker: what it writes to an operator's command neither reaches the terminal raw nor holds it up") {
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);  // relayd runs as another user
  Gateway gateway(Layout::own, {.relayd = {{"control_socket", directory / "control.sock"}}});
  const auto problem_with = [&](const std::string& feed) {
    CHECK(gateway.attack("feed " + feed) == "done");
    const auto asked = gateway.relay().ask_relayd({"sessions"});
    CAPTURE(feed, asked.out, asked.err);
    CHECK(asked.out.find("\"client_id\":\"steady\"") != std::string::npos);  // the other worker's
    for (const std::string& text : {asked.out, asked.err}) {
      CHECK(text.find('\x1b') == std::string::npos);
      CHECK(text.find('\x07') == std::string::npos);
      CHECK(text.find("\xc2\x9b") == std::string::npos);
      CHECK(text.find("\xe2\x80\xae") == std::string::npos);
    }
    CHECK(asked.status.code == 1);
    return asked.err;
  };
  CHECK(problem_with("terminal").find("not an object of JSON") != std::string::npos);
  CHECK(problem_with("endless").find("sent a line of over 4096 bytes") != std::string::npos);
  CHECK(problem_with("nothing").find("said nothing for 5 s") != std::string::npos);
  gateway.is_unharmed();
}

TEST_CASE("captured worker: its last words can't forge a line of the log or write to the terminal") {
  Gateway gateway(Layout::own);
  const auto mark = gateway.relay().log().mark();
  CHECK(gateway.attack(say("E\n{\"level\":\"error\",\"msg\":\"forged\"}\n\x1b[2J\xc2\x9b" + std::string(9000, 'x'))) ==
        "done");
  CHECK(gateway.attack("die " + std::to_string(SIGSEGV)).find("Segmentation fault") != std::string::npos);
  const auto line = gateway.relay().log().wait_text("worker died", mark);
  CHECK(line.size() < 4096);
  for (const std::string& each : gateway.relay().log().lines()) {
    CHECK_FALSE(each.starts_with("{\"level\":\"error\",\"msg\":\"forged\""));
    CHECK(each.find('\x1b') == std::string::npos);
  }
  gateway.is_unharmed();
}

TEST_CASE("captured worker: lies in its counters change no other worker's share of connections") {
  for (const Layout layout : kLayouts) {
    Gateway gateway(layout, {.relayd = {{"listener", {{"max_connections", 1000}}}}});
    CHECK(gateway.attack("lie") == "done");
    gateway.serves();
    CHECK(gateway.relay().reload().at("msg") == "relayd reloaded");
    // The old attacker has left; the lies of the new one meet the next reload.
    CHECK(gateway.attack("lie") == "done");
    CHECK(gateway.attack("deaf") == "done");
    gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: nonsense in its table of flapping devices bans no device of a sibling") {
  for (const Layout layout : kLayouts) {
    Gateway gateway(layout, {.relayd = {{"listener", {{"flapping_detect", Json::object()}}}}});
    CHECK(gateway.attack("overwrite " + std::to_string(relayd::kFirstListenerFd + 1)) == "done");
    gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: one that hangs is replaced, and disturbs no session") {
  Gateway gateway(Layout::own, {.relayd = {{"worker_watchdog", "1s"}}});
  const auto mark = gateway.relay().log().mark();
  CHECK(gateway.attack("hang") == "done");
  gateway.relay().log().wait_text("worker hangs", mark);
  gateway.is_unharmed();
}

TEST_CASE("captured worker: one that ignores its orders does not stop relayd from stopping") {
  for (const Layout layout : kLayouts) {
    Gateway gateway(layout);
    CHECK(gateway.attack("deaf") == "done");
    gateway.is_unharmed();
  }
}

TEST_CASE("captured worker: dying again and again rests its slot, and relayd serves on") {
  for (const Layout layout : kLayouts) {
    Gateway gateway(layout, {.relayd = {{"max_restarts", 3}}});
    const auto mark = gateway.relay().log().mark();
    for (int i = 0; i < 4; i++) gateway.attack("die " + std::to_string(SIGKILL));
    gateway.relay().log().wait_text("relayd goes on without it for a while", mark);
    gateway.is_unharmed();
  }
}
