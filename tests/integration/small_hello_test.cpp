// A middlebox that blocks a ClientHello unless it fits in one segment (https://tldr.fail). X25519MLKEM768's key share
// alone has 1,216 bytes.

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/verdict.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

constexpr uint16_t kPort = 18885;
constexpr size_t kSegment = 1400, kRecordHeader = 5;

enum class Manner { reset, close, silence, passes };

// Stands in front of the remote broker, at the same address. One thread serves all connections.
class Middlebox {
 public:
  explicit Middlebox(Manner manner) : manner_(manner), listener_(socket_on(kPort, true)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~Middlebox() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (const int fd : kept_) ::close(fd);
    ::close(listener_);
  }
  Middlebox(const Middlebox&) = delete;
  Middlebox& operator=(const Middlebox&) = delete;

  // The first segment of each connection so far.
  std::vector<std::string> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  static int socket_on(uint16_t port, bool listens) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, own_address().c_str(), &address.sin_addr);
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    const bool done = listens ? bind(fd, where, sizeof address) == 0 && listen(fd, 16) == 0
                              : ::connect(fd, where, sizeof address) == 0;
    if (!done) fail_errno("the middlebox's socket");
    return fd;
  }

  void serve() {
    for (;;) {
      std::vector<pollfd> waiting{{listener_, POLLIN, 0}};
      for (const auto& [from, to] : pipes_) waiting.push_back({from, POLLIN, 0});
      if (poll(waiting.data(), waiting.size(), -1) < 0) continue;
      for (size_t i = 1; i < waiting.size(); i++)
        if (waiting[i].revents != 0) forward(waiting[i].fd);
      if (waiting[0].revents == 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;  // shut down
      inspect(fd);
    }
  }
  void inspect(int fd) {
    kept_.push_back(fd);
    std::string first(kSegment, '\0');
    const ssize_t got = ::recv(fd, first.data(), first.size(), 0);
    first.resize(got > 0 ? static_cast<size_t>(got) : 0);
    if (first.size() < kRecordHeader) return;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(first);
    }
    const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<uint8_t>(first[at])); };
    if (manner_ == Manner::passes || first.size() == kRecordHeader + (byte(3) << 8 | byte(4))) {
      const int broker = socket_on(ports::remote, false);
      kept_.push_back(broker);
      pipes_[fd] = broker, pipes_[broker] = fd;
      send(broker, first);
    } else if (manner_ == Manner::reset) {
      const linger now{1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      kept_.pop_back();
      ::close(fd);
    } else if (manner_ == Manner::close) {
      ::shutdown(fd, SHUT_WR);
    }
  }
  void forward(int from) {
    const int to = pipes_.at(from);
    std::string bytes(65536, '\0');
    const ssize_t got = ::recv(from, bytes.data(), bytes.size(), 0);
    if (got > 0) return send(to, bytes.substr(0, static_cast<size_t>(got)));
    ::shutdown(to, SHUT_WR);
    pipes_.erase(from);
  }
  static void send(int fd, std::string_view bytes) {
    [[maybe_unused]] const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  const Manner manner_;
  const int listener_;
  std::map<int, int> pipes_;
  std::vector<int> kept_;  // kept open until the end
  std::mutex mutex_;
  std::vector<std::string> seen_;
  std::thread thread_;
};

constexpr std::string_view kHybrid = "\x11\xec";  // X25519MLKEM768 among supported_groups

}  // namespace

TEST_CASE("a device connects through a middlebox that needs the ClientHello in one segment, the log says so once") {
  Middlebox middlebox(GENERATE(Manner::reset, Manner::close, Manner::silence));
  World world({.relayd = {{"remote_port", kPort}, {"workers", 1}, {"remote", {{"connect_timeout", "6s"}}}}});
  const auto identity = device_identity("p256", 1);
  world.give_key("first", identity);
  world.give_key("second", identity);
  auto first = world.device(identity), second = world.device(identity);
  first.join("first");
  second.join("second");
  first.ping();
  second.ping();
  const auto hellos = middlebox.seen();
  REQUIRE(hellos.size() == 3);  // for the second device the relay sends a small one at once
  CHECK(hellos[0].size() == kSegment);
  for (const size_t small : {1, 2}) {
    CHECK(hellos[small].size() < 512);
    CHECK(hellos[small].find(kHybrid) != std::string::npos);
  }
  CHECK(world.relay().log().count_text("the remote broker answers a small ClientHello") == 1);
}

TEST_CASE("check warns of a middlebox that needs the ClientHello in one segment, and names remote.groups") {
  Middlebox middlebox(Manner::reset);
  World world({.local = false});
  world.relay().patch_relayd({{"remote_port", kPort}});
  const Json check = check_named(world.relay().ask_relayd({"check", "relayd", "--json"}), "remote");
  INFO(check.dump(2));
  CHECK(check.at("result") == "warning");
  CHECK(check.at("found").get<std::string>().find("it answers only a small first TLS message") != std::string::npos);
  CHECK(check.at("fix").get<std::string>().find("remote.groups") != std::string::npos);
}

TEST_CASE("a broker that took no X25519MLKEM768 key gets none with the next ClientHellos, which still offer it") {
  Middlebox between(Manner::passes);
  World world({.relayd = {{"remote_port", kPort}, {"workers", 1}}});
  const auto identity = device_identity("p256", 1);
  for (const char* id : {"first", "second", "third"}) {
    world.give_key(id, identity);
    auto device = world.device(identity);
    device.join(id);
  }
  const auto hellos = between.seen();
  REQUIRE(hellos.size() == 3);
  CHECK(hellos[0].size() == kSegment);
  for (const size_t next : {1, 2}) {
    CHECK(hellos[next].size() < 512);
    CHECK(hellos[next].find(kHybrid) != std::string::npos);
  }
  CHECK(world.relay().log().count_text("small ClientHello") == 0);
}
