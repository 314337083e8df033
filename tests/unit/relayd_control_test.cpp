// The operator's socket: its users, its answers, and its file.
#include "relayd/supervisor/control.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/config_error.h"
#include "relayd/admin/client.h"
#include "relayd/admin/show_status.h"
#include "tests/unit/relayd_loop_support.h"

using namespace relayd;
using admin::Json;
using common::Milliseconds;
using relayd_test::Client;
using relayd_test::Loop;

namespace {

constexpr uid_t kNobody = 65534;

struct Scratch {
  Scratch() {
    char name[] = "/tmp/relayd-test.XXXXXX";
    if (!mkdtemp(name)) throw std::runtime_error("mkdtemp");
    path = name;
    std::filesystem::permissions(path, std::filesystem::perms(0755));
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const char* file) const { return path + "/" + file; }
  std::string path;
};

// A supervisor that only records the commands it gets.
struct Supervised final : Control::Owner {
  Supervised() { status_now.workers = {{0, 1, 71, "serving", 5, &counters}, {1, 1, 0, "waiting", 2}}; }
  Status status() override { return status_now; }
  bool reloading() const override { return reloads > ended; }
  void reload() override {
    reloads++;
    if (at_once) end(false, "the file is broken");
  }
  void disconnect(uint64_t connection, const Whom& whom) override {
    disconnected.push_back(whom.client_id);
    sessions_ended.push_back(whom.session);
    control->disconnect_ended(connection, whom.client_id != "nobody", "ended 2 sessions");
  }
  OpenFeeds open_feeds(const FeedRequest& request) override {
    asked_for.push_back(request);
    OpenFeeds open;
    for (int worker = 0; worker < workers; worker++) {
      int pair[2];
      REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
      const common::Fd writer(pair[0]);
      const std::string line = "{\"n\":" + std::to_string(worker) + "}\n";
      REQUIRE(::send(writer.get(), line.data(), line.size(), MSG_NOSIGNAL) > 0);
      open.feeds.push_back({worker, 1, 100 + worker, common::Fd(pair[1])});
    }
    open.missing = 3;
    return open;
  }
  std::string pause(const std::string& listener, bool pause) override {
    if (listener == "none") throw std::runtime_error("found the listener \"none\"");
    return (pause ? "paused " : "resumed ") + listener;
  }
  std::string set_log_level(const LogChange& change, const Requester& requester) override {
    requesters.push_back(requester);
    return in_words(levels.change(change, common::log::Level::info, 1'000), change);
  }
  LogState log_state() const override { return {levels, common::log::Level::info, 1'001}; }
  const SlotEndings& endings() const override { return remembered; }
  void end(bool ok, const std::string& message) {
    ended++;
    control->reload_ended(ok, message);
  }

  Loop loop;
  Scratch scratch;
  const std::string path = scratch / "control.sock";
  Counters counters{};
  Status status_now;
  int reloads = 0, ended = 0;
  bool at_once = false;
  std::vector<std::string> disconnected;
  std::vector<uint64_t> sessions_ended;
  std::vector<FeedRequest> asked_for;
  int workers = 2;
  LogOverrides levels;
  std::vector<Requester> requesters;
  SlotEndings remembered;
  std::unique_ptr<Control> control = std::make_unique<Control>(loop.get(), path, *this, geteuid());

  Json ask(const Json& request) {
    Json answer;
    loop.serve([&] { answer = admin::ask(path, request, Milliseconds(20'000)); });
    return answer;
  }
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

std::string raw(Supervised& test, const std::string& request) {
  std::string answer;
  test.loop.serve([&] {
    const auto address = address_of(test.path);
    Client client(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    client.send(request);
    answer = client.receive();
  });
  return answer;
}

template <typename Error>
std::string error_of(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("the status has everything that the supervisor knows about its workers and its monitor", "[control]") {
  Supervised test;
  Counters ended{};
  ended.accepted = 10;
  test.counters.accepted = 5;
  test.counters.connections = 3;
  test.counters.messages_up = 8;
  test.status_now.ended = &ended;
  test.status_now.generation = 4;
  const Json status = test.ask({{"command", "status"}}).at("status");
  CHECK(status.at("generation") == 4);
  CHECK(status.at("pid") == getpid());
  CHECK(status.at("total").at("connections_accepted") == 15);
  CHECK(status.at("total").at("messages").at("up") == 8);
  REQUIRE(status.at("workers").size() == 2);
  CHECK(status.at("workers")[0].at("state") == "serving");
  CHECK(status.at("workers")[0].at("pid") == 71);
  CHECK(status.at("workers")[0].at("connections") == 3);
  CHECK(status.at("workers")[0].at("connections_accepted") == 5);
  CHECK_FALSE(status.at("workers")[1].contains("connections"));
  CHECK_FALSE(status.contains("monitor"));  // metrics is not set
  test.status_now.monitor = {.pid = 72, .state = "serving", .restarts = 6};
  CHECK(test.ask({{"command", "status"}}).at("status").at("monitor") ==
        Json({{"pid", 72}, {"state", "serving"}, {"restarts", 6}}));
}

TEST_CASE("a reload is answered when it is over, with its outcome", "[control]") {
  Supervised test;
  const auto reload_ended = [&](bool ok, const std::string& message) {
    uv_timer_t timer;
    struct Ending {
      Supervised& test;
      bool ok;
      std::string message;
    } ending{test, ok, message};
    uv_timer_init(test.loop.get(), &timer);
    timer.data = &ending;
    uv_timer_start(
        &timer,
        [](uv_timer_t* t) {
          auto& [supervised, good, text] = *static_cast<Ending*>(t->data);
          if (supervised.reloading()) supervised.end(good, text);
        },
        1, 1);
    std::string answer;
    test.loop.serve([&] {
      try {
        answer = admin::ask(test.path, {{"command", "reload"}}, Milliseconds(20'000)).at("message");
      } catch (const std::runtime_error& error) {
        answer = std::string("error: ") + error.what();
      }
    });
    uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    test.loop.serve([] {});
    return answer;
  };
  CHECK(reload_ended(true, "reloaded generation 2") == "reloaded generation 2");
  CHECK(reload_ended(false, "certfile: no such file") == "error: certfile: no such file");
  CHECK(test.reloads == 2);
}

TEST_CASE("a reload that fails at once is answered, too", "[control]") {
  Supervised test;
  test.at_once = true;
  CHECK(raw(test, "{\"command\":\"reload\"}\n") == "{\"ok\":false,\"error\":\"the file is broken\"}\n");
}

TEST_CASE("a reload asked for during another one is answered with the next one's outcome", "[control]") {
  Supervised test;
  const auto address = address_of(test.path);
  std::optional<Client> first, second;
  const auto connect = [&](std::optional<Client>& client) {
    client.emplace(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    client->send("{\"command\":\"reload\"}\n");
  };
  connect(first);
  while (test.reloads < 1) uv_run(test.loop.get(), UV_RUN_ONCE);
  connect(second);
  while (test.reloads < 2) uv_run(test.loop.get(), UV_RUN_ONCE);
  test.control->reload_ended(true, "generation 2");
  test.loop.serve([&] { CHECK(first->receive().find("generation 2") != std::string::npos); });
  test.control->reload_ended(true, "generation 3");
  test.loop.serve([&] { CHECK(second->receive().find("generation 3") != std::string::npos); });
}

TEST_CASE("disconnect takes every client id that a session can have", "[control]") {
  Supervised test;
  const std::vector<std::string> ids{"device-1", "", "a \"b\"\n\\", "\xe2\x82\xac", std::string(251, '\x01')};
  for (const std::string& id : ids)
    CHECK(test.ask({{"command", "disconnect"}, {"client_id", id}}).at("message") == "ended 2 sessions");
  CHECK(test.disconnected == ids);
  CHECK_THROWS_WITH(test.ask({{"command", "disconnect"}, {"client_id", std::string(252, 'x')}}),
                    "found a client id of 252 bytes; sessions are found by one of at most 251");
  CHECK(test.disconnected == ids);
  CHECK_THROWS_WITH(test.ask({{"command", "disconnect"}, {"client_id", "nobody"}}), "ended 2 sessions");
}

TEST_CASE("disconnect takes the id of a session, and nothing that is none", "[control]") {
  Supervised test;
  test.ask({{"command", "disconnect"}, {"session", "000000000000abcd"}});
  CHECK(test.sessions_ended == std::vector<uint64_t>{0xabcd});
  for (const char* id : {"", "0", "abcd", "0000000000000000", "000000000000abcg", "000000000000abcd0",
                         "0x0000000000abcd", "000000000000ABCD"}) {
    CAPTURE(id);
    CHECK_THROWS_WITH(test.ask({{"command", "disconnect"}, {"session", id}}),
                      Catch::Matchers::Contains("16 hexadecimal digits"));
  }
  CHECK(test.sessions_ended.size() == 1);
}

TEST_CASE("pause and resume say what they did, and why they could not", "[control]") {
  Supervised test;
  CHECK(test.ask({{"command", "pause"}}).at("message") == "paused ");
  CHECK(test.ask({{"command", "resume"}, {"listener", "tls"}}).at("message") == "resumed tls");
  CHECK_THROWS_WITH(test.ask({{"command", "pause"}, {"listener", "none"}}), "found the listener \"none\"");
}

TEST_CASE("log-level shows the levels, sets one with its time, takes it back, and knows who asks", "[control]") {
  Supervised test;
  const Json plain = {
      {"ok", true},
      {"log", {{"level", "info"}, {"configured", "info"}, {"by_command", false}, {"clients", Json::array()}}}};
  CHECK(test.ask({{"command", "log-level"}}) == plain);
  CHECK(test.requesters.empty());
  const Json own = test.ask({{"command", "log-level"}, {"level", "debug"}, {"seconds", 600}});
  CHECK(own.at("log") == Json({{"level", "debug"},
                               {"configured", "info"},
                               {"by_command", true},
                               {"seconds_left", 600},
                               {"clients", Json::array()}}));
  CHECK(own.at("message") ==
        "relayd's log level is debug, it was info; it holds through reloads, until 600 s are over, `mqtt-relay "
        "log-level default`, or a restart of relayd");
  const Json one = test.ask({{"command", "log-level"}, {"level", "error"}, {"client_id", "a \"b\""}});
  CHECK(one.at("log").at("clients") == Json::array({{{"client_id", "a \"b\""}, {"level", "error"}}}));
  CHECK(one.at("message") ==
        "the log level of this client id's sessions is error, it was debug; it holds through reloads, until "
        "`mqtt-relay log-level default --client ID`, or a restart of relayd");
  CHECK(test.ask({{"command", "log-level"}, {"level", "default"}, {"client_id", "a \"b\""}}).at("message") ==
        "the log level of this client id's sessions is debug, it was error; it is relayd's own again");
  CHECK(test.ask({{"command", "log-level"}, {"level", "default"}}).at("log") == plain.at("log"));
  REQUIRE(test.requesters.size() == 4);
  CHECK(test.requesters[0].pid == getpid());
  CHECK(test.requesters[0].uid == geteuid());
}

TEST_CASE("log-level refuses what it can't do, and says what is allowed", "[control]") {
  Supervised test;
  const auto refused = [&](Json request) {
    request["command"] = "log-level";
    return error_of<std::runtime_error>([&] { test.ask(request); });
  };
  CHECK(refused({{"level", "loud"}}) == "found the level \"loud\"; allowed: debug, info, warning, error, default");
  CHECK(refused({{"level", 1}}) == "found the level \"\"; allowed: debug, info, warning, error, default");
  CHECK(refused({{"level", "debug"}, {"client_id", ""}}) ==
        "found an empty client id; a log level is for one that has at least a byte");
  CHECK(refused({{"level", "debug"}, {"client_id", std::string(252, 'x')}}) ==
        "found a client id of 252 bytes; sessions are found by one of at most 251");
  for (const Json& seconds : {Json(0), Json(-1), Json("5"), Json(604801)})
    CHECK(refused({{"level", "debug"}, {"seconds", seconds}}) ==
          "found " + seconds.dump() + " seconds; allowed: 1 to 604800");
  CHECK(refused({{"level", "default"}, {"seconds", 5}}) == "found a time for the level \"default\", which needs none");
  CHECK(test.requesters.empty());
  CHECK(test.ask({{"command", "log-level"}, {"level", "debug"}, {"client_id", std::string(251, 'x')}}).at("ok") ==
        true);
}

TEST_CASE("the descriptors of all workers' feeds reach the command, each with its worker", "[control]") {
  Supervised test;
  for (const int workers : {0, 1, 2, 253, 254, 600}) {
    CAPTURE(workers);
    test.workers = workers;
    admin::FeedSockets feeds;
    test.loop.serve([&] {
      feeds = admin::ask_for_feeds(test.path, {{"command", "sessions"}, {"client", "d-*"}, {"limit", 7}},
                                   Milliseconds(20'000));
    });
    CHECK(feeds.missing == 3);
    REQUIRE(feeds.feeds.size() == static_cast<size_t>(workers));
    for (int worker = 0; worker < workers; worker++) {
      const auto& feed = feeds.feeds[static_cast<size_t>(worker)];
      REQUIRE(feed.worker == worker);
      REQUIRE(feed.pid == 100 + worker);
      char line[64] = {};
      REQUIRE(recv(feed.socket.get(), line, sizeof line, 0) > 0);
      REQUIRE(line == "{\"n\":" + std::to_string(worker) + "}\n");
    }
  }
  REQUIRE_FALSE(test.asked_for.empty());
  CHECK(test.asked_for.back().client_id == "d-*");
  CHECK(test.asked_for.back().limit == 7);
  CHECK_THROWS_WITH(test.ask({{"command", "sessions"}, {"limit", -1}}), Catch::Matchers::Contains("limit"));
  CHECK_THROWS_WITH(test.ask({{"command", "sessions"}, {"client", std::string(252, '*')}}),
                    Catch::Matchers::Contains("found a pattern of 252 bytes"));
}

TEST_CASE("an unknown command is answered with the list of commands", "[control]") {
  Supervised test;
  for (const char* request : {"\n", "status\n", "{}\n", "[]\n", "{\"command\":7}\n", "{\"command\":\"stop\"}\n",
                              "{\"command\":\"disconnect\"}\n", "{\"command\":\"disconnect\",\"client_id\":7}\n",
                              "\xff\xfe\n", "{\"command\":\"status\"\n"}) {
    CAPTURE(request);
    CHECK(raw(test, request).starts_with("{\"ok\":false,\"error\":\"expected {"));
  }
  CHECK(raw(test, std::string(5000, 'x')).find("too long") != std::string::npos);
  CHECK(test.disconnected.empty());
}

TEST_CASE("only root and relayd's user may ask", "[control]") {
  if (geteuid() != 0) {
    WARN("SKIPPED: needs root to become another user");
    return;
  }
  Supervised test;
  struct stat info {};
  REQUIRE(stat(test.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0660);
  const auto as_nobody = [&] {
    // The raw system calls affect only this thread; libc's functions would affect all threads.
    if (syscall(SYS_setgroups, 0, nullptr) != 0 || syscall(SYS_setresgid, -1, kNobody, -1) != 0 ||
        syscall(SYS_setresuid, -1, kNobody, -1) != 0)
      throw std::runtime_error("can't become nobody");
    return error_of<std::runtime_error>([&] { admin::ask(test.path, {{"command", "reload"}}, Milliseconds(20'000)); });
  };
  test.loop.serve([&] { CHECK(as_nobody().find("only root and relayd's user may ask") != std::string::npos); });
  std::filesystem::permissions(test.path, std::filesystem::perms(0666));
  test.loop.serve([&] { CHECK(as_nobody().starts_with("uid 65534 may not ask")); });
  CHECK(test.reloads == 0);
}

TEST_CASE("a dead relayd's socket file is replaced, a living one's is not, nor is a file that is not a socket",
          "[control]") {
  Supervised test;
  const auto start = [&](const std::string& path) {
    return error_of<common::ConfigError>([&] { Control(test.loop.get(), path, test, geteuid()); });
  };
  CHECK(start(test.path).find("another relayd answers") != std::string::npos);
  const std::string dead = test.scratch / "dead.sock", file = test.scratch / "file";
  {
    const common::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = address_of(dead);
    REQUIRE(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  CHECK(start(dead) == "no error");
  CHECK_FALSE(std::filesystem::exists(dead));  // removed at the end
  std::ofstream(file) << "precious";
  CHECK(start(file).find("not a socket") != std::string::npos);
  CHECK(std::filesystem::file_size(file) == 8);
  CHECK(start(test.scratch / "none/control.sock").find("RuntimeDirectory=") != std::string::npos);
  CHECK(start("relative").find("absolute") != std::string::npos);
  CHECK(start("/" + std::string(120, 'x')).find("too long") != std::string::npos);
}

TEST_CASE("a file that took the socket's place stays", "[control]") {
  Supervised test;
  std::filesystem::remove(test.path);
  std::ofstream(test.path) << "another's";
  test.control.reset();
  CHECK(std::filesystem::exists(test.path));
}

TEST_CASE("a command that gets no answer says what to look at", "[control]") {
  const Scratch scratch;
  const auto error = [](const std::string& path) {
    return error_of<admin::Unavailable>([&] { admin::ask(path, {{"command", "status"}}, Milliseconds(1000)); });
  };
  CHECK(error(scratch / "none") == scratch / "none" +
                                       ": No such file or directory; is relayd running with this "
                                       "control_socket?");
  const common::Fd silent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(scratch / "silent");
  REQUIRE(bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(error(scratch / "silent").find("is relayd running") != std::string::npos);
  REQUIRE(listen(silent.get(), 4) == 0);
  CHECK(error(scratch / "silent") == scratch / "silent" + ": no answer in 1 s");
}

TEST_CASE("an operator sees sums, workers and the monitor, and nothing that harms a terminal", "[control]") {
  Supervised test;
  test.status_now.bind = "0.0.0.0:8883";
  test.status_now.remote = "broker\x1b[2J";
  test.status_now.failed_reloads = 1;
  test.counters.connections = 12345;
  test.counters.memory = 50 << 20;
  test.counters.refused[0] = 3;
  test.status_now.monitor = {.pid = 72, .state = "serving", .restarts = 6};
  const Json status = test.ask({{"command", "status"}}).at("status");
  std::ostringstream plain, coloured;
  admin::show_status(status, plain, {.terminal = false, .colour = false});
  admin::show_status(status, coloured, {.terminal = true, .colour = true});
  CAPTURE(plain.str());
  for (const char* part : {"1 failed reload", "12,345", "50 MB", "refused", "not_authorized 3", "serving", "waiting",
                           "monitor serving, pid 72, 6 restarts\n", "0.0.0.0:8883 → broker\\x1b[2J"})
    CHECK(plain.str().find(part) != std::string::npos);
  CHECK(plain.str().find('\x1b') == std::string::npos);
  CHECK(coloured.str().find("\x1b[31m") != std::string::npos);
  CHECK(coloured.str().find("\x1b[2J") == std::string::npos);
  std::ostringstream other;
  admin::show_status(Json::parse(R"({"workers":[{}],"total":{"bytes":{"up":-1}}})"), other, {});
  CHECK(other.str().find("WORKER") != std::string::npos);
}

namespace {

// A child of the process that has the control socket, as a worker is. It asks for a reload and waits for the answer, or
// exits at once.
std::string asked_by_a_child(Supervised& test, bool waits) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const common::Fd read_end(ends[0]);
  common::Fd write_end(ends[1]);
  const auto address = address_of(test.path);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[512] = {};
    const bool asked = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       send(fd, "{\"command\":\"reload\"}\n", 21, 0) == 21;
    const ssize_t got = asked && waits ? recv(fd, answer, sizeof answer, 0) : 0;
    _exit(write(write_end.get(), answer, static_cast<size_t>(got)) == got && asked ? 0 : 1);
  }
  write_end.reset();
  int status = -1;
  if (!waits) REQUIRE(waitpid(child, &status, 0) == child);
  std::string answer;
  test.loop.serve([&] {
    char bytes[512];
    for (ssize_t got; (got = read(read_end.get(), bytes, sizeof bytes)) > 0;)
      answer.append(bytes, static_cast<size_t>(got));
  });
  if (waits) REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  return answer;
}

}  // namespace

TEST_CASE("relayd's own children can't command it, whatever their user", "[control]") {
  Supervised test;
  CHECK(asked_by_a_child(test, true) == "{\"ok\":false,\"error\":\"relayd's own processes may not ask\"}\n");
  // A request that a dead child left behind is not carried out either.
  asked_by_a_child(test, false);
  CHECK(test.ask({{"command", "status"}}).contains("status"));  // the loop has come to it
  CHECK(test.reloads == 0);
}
