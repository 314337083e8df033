// Remote brokers behind a proxy: a real tinyproxy (HTTP CONNECT) and a real microsocks (SOCKS5).
#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr uint16_t kProxyPort = 13128;
const std::string kUser = "gateway", kPassword = "s3cret-of-the-proxy";

enum class Kind { http, socks5 };

class Proxy {
 public:
  // `password`: "": it admits everyone.
  Proxy(Kind kind, const TempDir& directory, const std::string& password) : kind_(kind) {
    std::vector<std::string> argv;
    if (kind == Kind::http) {
      const fs::path file = directory / "tinyproxy.conf";
      write_file(file, "Port " + std::to_string(kProxyPort) + "\nListen " + own_address() +
                           "\nTimeout 600\nLogLevel Info\n" +
                           (password.empty() ? "" : "BasicAuth " + kUser + " " + password + "\n"));
      argv = {"tinyproxy", "-d", "-c", file};
    } else {
      argv = {"microsocks", "-i", own_address(), "-p", std::to_string(kProxyPort)};
      if (!password.empty()) argv.insert(argv.end(), {"-u", kUser, "-P", password});
    }
    process_.emplace(ProcessOptions{.argv = argv});
    wait_listening();
  }
  // Waits until it has connected to this place.
  void wait_connected(const std::string& place) {
    if (kind_ == Kind::http) process_->out().wait_text("CONNECT " + place);
    else process_->err().wait_text("connected to " + place);
  }

 private:
  static void wait_listening() {
    const Deadline deadline = patience();
    for (;;) {
      const common::Fd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(kProxyPort), .sin_addr = {}, .sin_zero = {}};
      inet_pton(AF_INET, own_address().c_str(), &address.sin_addr);
      if (connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
      if (deadline.over()) throw Failure("the proxy does not listen");
      usleep(10'000);  // microsocks does not say when it listens
    }
  }
  Kind kind_;
  std::optional<Process> process_;
};

Json through(Kind kind, const Json& more = Json::object()) {
  Json proxy = {{"type", kind == Kind::http ? "http" : "socks5"}, {"host", own_address()}, {"port", kProxyPort}};
  proxy.merge_patch(more);
  return {{"remote", {{"proxy", proxy}}}};
}

// A file that relayd's user may read.
fs::path credentials(const World& world, const std::string& text, mode_t mode = 0600) {
  const fs::path file = world.directory.path() / "relay/certificates/proxy";
  write_file(file, text);
  if (geteuid() == 0 && chown(file.c_str(), relay_user, relay_user) != 0) fail_errno("chown");
  chmod(file.c_str(), mode);
  return file;
}

void check_refused(World& world, const std::string& cause) {
  const auto identity = device_identity("p256", 1);
  world.give_key("device", identity);
  const auto mark = world.relay().log().mark();
  CHECK(world.refusal(identity, "device", mqtt::v311) == 3);
  world.relay().log().wait_text(cause, mark);
}

}  // namespace

TEST_CASE("through a proxy: devices reach the remote broker, and relayd connects to nothing but the proxy") {
  const Kind kind = GENERATE(Kind::http, Kind::socks5);
  const bool authenticated = GENERATE(false, true);
  CAPTURE(static_cast<int>(kind), authenticated);
  World world({.start = false});
  Proxy proxy(kind, world.directory, authenticated ? kPassword : "");
  Json more = Json::object();
  if (authenticated) more["credentials_file"] = credentials(world, kUser + ":" + kPassword + "\n");
  world.relay().patch_relayd(through(kind, more));
  world.relay().start();
  auto device = world.join("device", mqtt::v5);
  device.ping();
  CHECK(world.remote->user_of("device") == "p256-1");
  proxy.wait_connected(own_address() + ":" + std::to_string(ports::remote));
  CHECK(world.relay().log().count_text(kPassword) == 0);
}

TEST_CASE("through a proxy: without the right credentials devices are refused, and the log says what to do") {
  const Kind kind = GENERATE(Kind::http, Kind::socks5);
  CAPTURE(static_cast<int>(kind));
  World world({.start = false});
  const Proxy proxy(kind, world.directory, kPassword);
  const std::string name = "the proxy " + own_address() + ":" + std::to_string(kProxyPort);
  world.relay().patch_relayd(through(kind));
  world.relay().start();
  check_refused(world, kind == Kind::http
                           ? name + " answered 407 Proxy Authentication Required; set remote.proxy.credentials_file"
                           : name + " wants authentication; set remote.proxy.credentials_file");
  world.relay().patch_relayd(through(kind, {{"credentials_file", credentials(world, kUser + ":wrong-password")}}));
  REQUIRE(world.relay().reload().at("msg") == "relayd reloaded");
  check_refused(world, kind == Kind::http ? "correct the user and password in remote.proxy.credentials_file"
                                          : "correct them in remote.proxy.credentials_file");
  CHECK(world.relay().log().count_text("wrong-password") == 0);
  credentials(world, kUser + ":" + kPassword);
  REQUIRE(world.relay().reload().at("msg") == "relayd reloaded");
  world.join("device").ping();
}

TEST_CASE("through a proxy: a broker that it can't reach gives way to the next one") {
  const Kind kind = GENERATE(Kind::http, Kind::socks5);
  CAPTURE(static_cast<int>(kind));
  World world({.start = false});
  const Proxy proxy(kind, world.directory, "");
  world.relay().patch_relayd(through(kind));
  world.relay().patch_relayd(
      {{"remote_host", nullptr},
       {"remote_hosts", {own_address() + ":" + std::to_string(ports::unused), own_address() + ":18883"}}});
  world.relay().start();
  const auto mark = world.relay().log().mark();
  world.join("device").ping();
  const auto up = world.relay().log().wait_json([](const Json& j) { return j.value("msg", "") == "session up"; },
                                                "the session", mark);
  CHECK(up.at("address") == own_address() + ":18883 through " + own_address() + ":" + std::to_string(kProxyPort));
  world.remote->process().kill();
  check_refused(world, kind == Kind::http ? "answered 500" : "answered 5 (Connection refused)");
}

TEST_CASE("through a proxy: it gets the broker's name, and the name and certificate are verified as without it") {
  const Kind kind = GENERATE(Kind::http, Kind::socks5);
  CAPTURE(static_cast<int>(kind));
  TempDir directory;
  const bool right = GENERATE(true, false);
  CapturingRemote remote({"127.0.0.1", 0},
                         server_identity("b", "p256", right ? "DNS:localhost" : "DNS:other.test", directory.path()),
                         authorities().root);
  World world({.remote = RemoteKind::none, .start = false});
  Proxy proxy(kind, world.directory, "");
  world.relay().patch_relayd(through(kind));
  world.relay().patch_relayd({{"remote_host", "localhost"}, {"remote_port", remote.endpoint().port}});
  world.relay().start();
  const auto identity = device_identity("p256", 1);
  world.give_key("device", identity);
  auto device = world.device(identity);
  device.tls().send(mqtt::connect({.client_id = "device"}));
  if (right) {
    auto served = remote.accept();
    CHECK(served.server_name() == "localhost");
    served.read_packet();
    served.send(connack_accepted);
    CHECK(mqtt::connack_code(device.tls().read_packet()) == 0);
  } else {
    CHECK_THROWS(remote.accept());
    CHECK(mqtt::connack_code(device.tls().read_packet()) == 3);
  }
  proxy.wait_connected("localhost:" + std::to_string(remote.endpoint().port));
}

TEST_CASE("through a proxy: one that accepts connections and says nothing has its own deadline") {
  World world({.start = false});
  const Kind kind = GENERATE(Kind::http, Kind::socks5);
  const CapturingRemote silent({own_address(), kProxyPort}, server_identity("x", "p256", world.directory.path()),
                               authorities().root);
  world.relay().patch_relayd(through(kind, {{"connect_timeout", "300ms"}}));
  world.relay().start();
  const auto begun = std::chrono::steady_clock::now();
  check_refused(world, "the proxy " + own_address() + ":" + std::to_string(kProxyPort) + " gave no answer in time");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(8));  // connect_timeout of the remote is 10 s
}

TEST_CASE(
    "through a proxy: a credentials file that others may read, or that is malformed, stops relayd with the remedy") {
  World world({.remote = RemoteKind::none, .start = false});
  const auto refused = [&](const std::string& text, mode_t mode, const std::string& cause) {
    world.relay().patch_relayd(through(Kind::http, {{"credentials_file", credentials(world, text, mode)}}));
    const auto finished = world.relay().run_relayd();
    CHECK(finished.status.code == 78);
    INFO(finished.err);
    CHECK(finished.err.find("remote.proxy.credentials_file: ") != std::string::npos);
    CHECK(finished.err.find(cause) != std::string::npos);
    CHECK(finished.err.find("hidden") == std::string::npos);
  };
  refused("user:hidden", 0644, "its mode 0644 opens it to others: `chmod 640 ");
  for (const std::string text : {"hidden", ":hidden", "hidden:", "user:hid\nden", "user:hidden\r\n", ""})
    refused(text, 0600, "expected one line, USER:PASSWORD, each of 1 to 255 bytes");
  refused("user:" + std::string(256, 'h'), 0600, "expected one line");
}

TEST_CASE("check of relayd: it tries the remote broker through the proxy", "[relayd-check]") {
  const Kind kind = GENERATE(Kind::http, Kind::socks5);
  CAPTURE(static_cast<int>(kind));
  World world({.local = false, .start = false});
  const Proxy proxy(kind, world.directory, kPassword);
  const auto checked = [&](const std::string& name) {
    auto command =
        world.relay().operator_command({"check", "relayd", "--json", "--config", world.relay().relayd_configuration()});
    if (geteuid() == 0) command.user = relay_user;
    const Json all = Json::parse(run(command).out);
    for (const auto& check : all.at("checks"))
      if (check.at("name") == name) return check.dump();
    throw Failure("no check " + name);
  };
  const auto has = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  world.relay().patch_relayd(through(kind));
  has(checked("remote-name"), "the proxy " + own_address() + " is known here");
  has(checked("remote"), "set remote.proxy.credentials_file");
  has(checked("remote"), "curl -v -x ");
  world.relay().patch_relayd(through(kind, {{"credentials_file", credentials(world, kUser + ":" + kPassword, 0666)}}));
  has(checked("remote"), "its mode 0666 opens it to others");
  credentials(world, kUser + ":" + kPassword);
  has(checked("remote"), "verifies for " + own_address());
}
