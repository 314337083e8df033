// Each daemon waits for what the machine cannot provide yet, and logs the wait once at its start and once at its end.
// Exit status 78 is for what only the operator can fix.

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A port that another process occupies.
class Taken {
 public:
  explicit Taken(const Endpoint& endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;  // connections in TIME_WAIT must not prevent the bind
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd_, 1) != 0)
      fail_errno("listen on " + endpoint.text());
  }
  ~Taken() { free(); }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  void free() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// A daemon that was started without waiting until it is ready.
class Started {
 public:
  Started(World& world, const std::string& program, const fs::path& configuration, uid_t user)
      : notify_(world.directory / (program + ".early")),
        process_({.argv = {world.directory / "relay" / program, "--config", configuration},
                  .environment = {notify_.environment()},
                  .user = geteuid() == 0 ? std::optional(user) : std::nullopt}) {}
  std::string wait_line(const std::string& beginning) { return notify_.wait_line(beginning, process_); }
  Process& process() { return process_; }
  size_t said(const std::string& words) { return process_.err().count_text(words); }

 private:
  NotifySocket notify_;
  Process process_;
};

Started relayd_of(World& world) { return {world, "relayd", world.relay().relayd_configuration(), relay_user}; }

constexpr char kBegins[] = "not ready; retrying until it works", kEnds[] = "ready after waiting";

// Checks that the status contains `words` while the daemon waits; then calls `repair` and waits for READY.
void waits_until(Started& started, const std::string& words, const std::function<void()>& repair) {
  const auto status = started.wait_line("STATUS=waits: ");
  INFO(status);
  CHECK(status.find(words) != std::string::npos);
  started.wait_line("STATUS=waits: ");  // it has tried again
  repair();
  started.wait_line("READY=1");
  CHECK(started.said(kBegins) == 1);
  CHECK(started.said(kEnds) == 1);
  started.process().signal(SIGTERM);
  CHECK(started.process().wait().code == 0);
}

}  // namespace

TEST_CASE("if listener.bind's port is taken, relayd waits for it and is ready once it serves") {
  World world({.start = false});
  world.relay().start_keyd();
  Taken taken(world.relay().endpoint());
  auto relayd = relayd_of(world);
  waits_until(relayd, "listener.bind: can't listen on " + world.relay().endpoint().text(), [&] { taken.free(); });
}

TEST_CASE("relayd does not count the time that it waited for its port as silence of keyd") {
  World world({.start = false});
  world.relay().start_keyd();
  Taken taken(world.relay().endpoint());
  auto relayd = relayd_of(world);
  for (int tries = 0; tries < 6; tries++)
    relayd.wait_line("STATUS=waits: ");  // longer in total than keyd may take to answer
  taken.free();
  relayd.wait_line("READY=1");
  CHECK(relayd.said("could not ask keyd") == 0);
  relayd.process().signal(SIGTERM);
  CHECK(relayd.process().wait().code == 0);
}

TEST_CASE("if listener.bind's address is not up yet, relayd waits for it, and a stop ends the wait") {
  World world({.relayd = {{"listener", {{"bind", "203.0.113.9:8883"}}}}, .start = false});
  world.relay().start_keyd();
  auto relayd = relayd_of(world);
  relayd.wait_line("STATUS=waits: listener.bind: can't listen on 203.0.113.9:8883");
  relayd.process().signal(SIGTERM);
  CHECK(relayd.process().wait().code != 78);
}

TEST_CASE("while metrics.bind and control_socket are unavailable, devices are served") {
  const Endpoint metrics{own_address(), ports::direct};
  Taken taken(metrics);
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);
  World world(
      {.relayd = {{"metrics", {{"bind", metrics.text()}}}, {"control_socket", directory / "run/control.sock"}}});
  auto& relay = world.relay();
  relay.log().wait_text("metrics.bind: can't listen on");
  relay.log().wait_text("control_socket: found");
  const auto identity = device_identity("p256", 1);
  world.device(identity).join("local").ping();
  const auto status = relay.notified().wait_line("STATUS=1 workers", relay.relayd());
  INFO(status);
  CHECK(status.find("; waits: control_socket") != std::string::npos);
  fs::create_directory(directory / "run");
  fs::permissions(directory / "run", fs::perms::all);
  taken.free();
  const auto end = [](const std::string& setting) {
    return [setting](const Json& line) {
      return line.value("msg", "") == kEnds && line.value("cause", "").find(setting) != std::string::npos;
    };
  };
  relay.log().wait_json(end("metrics.bind"), "metrics.bind is there");
  relay.log().wait_json(end("control_socket"), "control_socket is there");
  const auto asked = relay.ask_relayd({"status", "--json"});
  CHECK(asked.status.code == 0);
  CHECK(relay.log().count_text(kBegins) == 2);
}

TEST_CASE("if the directory of its socket does not exist yet, keyd waits for it") {
  World world({.start = false});
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);
  world.relay().patch_keyd({{"socket", directory / "run/sign.sock"}});
  Started keyd(world, "keyd", world.relay().keyd_configuration(), keyd_user);
  waits_until(keyd, "create its directory", [&] {
    fs::create_directory(directory / "run");
    fs::permissions(directory / "run", fs::perms::all);
  });
}

TEST_CASE("keyd waits for the directories of the keys, the listener key and the audit if they do not exist yet") {
  World world({.start = false});
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);
  const auto folder = directory / "late";
  const auto setting = GENERATE(std::pair("private_keys_dir", ""), std::pair("listener_keyfile", "/listener.key"),
                                std::pair("audit_file", "/audit.log"));
  world.relay().patch_keyd({{setting.first, folder.string() + setting.second}});
  Started keyd(world, "keyd", world.relay().keyd_configuration(), keyd_user);
  waits_until(keyd, setting.first, [&] {
    fs::create_directory(folder);
    fs::permissions(folder, fs::perms::owner_all);
    if (geteuid() == 0 && chown(folder.c_str(), keyd_user, keyd_user) != 0) fail_errno("chown " + folder.string());
  });
}

TEST_CASE("if the CRL file does not exist yet, relayd waits for it and admits no device meanwhile") {
  World world({.start = false});
  world.relay().start_keyd();
  const auto setting = GENERATE("listener", "remote");
  const TempDir directory;
  fs::permissions(directory / "", fs::perms::all);
  world.relay().patch_relayd({{setting, {{"crlfile", directory / "late.pem"}}}});
  auto relayd = relayd_of(world);
  waits_until(relayd, std::string(setting) + ".crlfile", [&] {
    write_crl(directory / "late.new", {});
    fs::permissions(directory / "late.new", fs::perms::all);
    fs::rename(directory / "late.new", directory / "late.pem");
  });
}

TEST_CASE("if a systemd credential is missing, the error names it and the line that the unit needs") {
  World world({.start = false});
  SECTION("keyd") {
    world.relay().patch_keyd({{"key_passphrase_file", "/run/credentials/mqtt-keyd.service/secret"}});
    const auto ended = world.relay().run_keyd();
    CAPTURE(ended.err);
    CHECK(ended.status.code == 78);
    CHECK(ended.err.find("it is a credential, and none was passed") != std::string::npos);
    CHECK(ended.err.find("LoadCredential= names \\\"secret\\\"") != std::string::npos);
  }
  SECTION("relayd, from its own directory of credentials") {
    world.relay().start_keyd();
    const auto folder = world.directory / "credentials";
    fs::create_directory(folder);
    world.relay().options().environment = {"CREDENTIALS_DIRECTORY=" + folder.string()};
    world.relay().patch_relayd({{"remote", {{"cacertfile", folder / "remote-ca"}}}});
    const auto ended = world.relay().run_relayd();
    CAPTURE(ended.err);
    CHECK(ended.status.code == 78);
    CHECK(ended.err.find("the unit needs LoadCredential=remote-ca:FILE") != std::string::npos);
  }
}

TEST_CASE("a second relayd started by mistake says what it waits for, and the first loses nothing") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  auto device = world.device(identity);
  device.join("thermo");
  auto second = relayd_of(world);
  second.wait_line("STATUS=waits: listener.bind: can't listen on " + world.relay().endpoint().text());
  device.ping();
}

TEST_CASE("a second keyd started by mistake says what it waits for, and the first goes on signing") {
  World world;
  const auto identity = device_identity("p256", 1);
  world.give_key("thermo", identity);
  Started second(world, "keyd", world.relay().keyd_configuration(), keyd_user);
  CHECK(second.wait_line("STATUS=waits: ").find("another keyd answers on it") != std::string::npos);
  auto device = world.device(identity);
  device.join("thermo");
  CHECK(world.remote->user_of("thermo") == identity.name);
}
