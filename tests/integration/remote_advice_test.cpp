// If `mqtt-relay check` cannot reach the remote broker, its advice fits the cause.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/verdict.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

// A server on the remote's port; a function plays each connection, one after the other.
class Port {
 public:
  explicit Port(int backlog, std::function<void(int fd)> play = {})
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), play_(std::move(play)) {
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto address = where();
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd_, backlog) != 0)
      fail_errno("the remote's port");
    if (play_) thread_ = std::thread([this] { serve(); });
  }
  ~Port() {
    ::shutdown(fd_, SHUT_RDWR);  // makes accept(2) return
    if (thread_.joinable()) thread_.join();
    ::close(fd_);
    for (const int fd : fillers_) ::close(fd);
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  // Fills the queue of a server that never accepts: from now on the kernel drops SYNs, as a firewall does.
  void fill() {
    for (int i = 0; i < 3; i++) {
      fillers_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const auto address = where();
      ::connect(fillers_.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
  }

 private:
  static sockaddr_in where() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(ports::remote);
    inet_pton(AF_INET, own_address().c_str(), &address.sin_addr);
    return address;
  }
  void serve() {
    for (;;) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      play_(fd);
      ::close(fd);
    }
  }
  int fd_;
  std::function<void(int)> play_;
  std::thread thread_;
  std::vector<int> fillers_;
};

std::string first_message(int fd) {
  std::string bytes(65536, '\0');
  const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

void say(int fd, std::string_view text) {
  [[maybe_unused]] auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

struct Checked {
  explicit Checked(const WorldOptions& options = {.remote = RemoteKind::none, .local = false, .start = false})
      : world(options) {}
  // The check of the remote broker: its finding and its remedy.
  Json remote() { return check_named(world.relay().ask_relayd({"check", "relayd", "--json"}), "remote"); }
  void expect(const std::string& found, const std::string& fix) {
    const Json check = remote();
    INFO(check.dump(2));
    CHECK(check.at("result") == "error");
    CHECK(check.at("found").get<std::string>().find(found) != std::string::npos);
    CHECK(check.at("fix").get<std::string>().find(fix) != std::string::npos);
  }
  World world;
};

}  // namespace

TEST_CASE("check distinguishes a closed port from one behind a firewall") {
  Checked test;
  test.expect("Connection refused", "nothing listens on port 18883 there");
  Port hidden(0);
  hidden.fill();
  test.world.relay().patch_relayd({{"remote", {{"connect_timeout", "400ms"}}}});
  test.expect("no answer within connect_timeout", "a firewall drops packets to port 18883");
}

TEST_CASE("check recognises a broker's plain MQTT port, whether or not the broker would accept the check") {
  const bool anonymous = GENERATE(true, false);
  Checked test;
  const Mosquitto plain({.listen = {own_address(), ports::remote},
                         .more = anonymous ? "" : "password_file /dev/null\nallow_anonymous false\n"},
                        test.world.directory / "plain");
  test.expect("it speaks MQTT without TLS", "remote_port in " + test.world.relay().relayd_configuration().string() +
                                                " must be the broker's port for MQTT over TLS, usually 8883");
}

TEST_CASE("check recognises a web server, a proxy and ssh in place of a broker") {
  struct Peer {
    std::string_view says;
    const char *found, *fix;
  };
  const auto peer =
      GENERATE(Peer{"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "a web server or a proxy", "correct"},
               Peer{"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "answered in SSH", "correct"},
               Peer{"220 mail.example ESMTP\r\n", "other than TLS, beginning with the bytes 323230", "correct"});
  Checked test;
  const Port port(16, [&](int fd) {
    first_message(fd);
    say(fd, peer.says);
  });
  test.expect(peer.found, peer.fix);
}

TEST_CASE("check recognises a port that accepts and stays silent, and one that closes at once") {
  Checked test;
  test.world.relay().patch_relayd({{"remote", {{"connect_timeout", "300ms"}}}});
  {
    const Port mute(16);
    test.expect("no answer to the TLS handshake in 300 ms", "it accepts TCP and says nothing");
  }
  const Port closing(16, [](int fd) { first_message(fd); });
  test.expect("ended the connection without an answer", "A load balancer whose brokers are down");
}

TEST_CASE("check reports a broker that has no TLS version in common with remote.versions") {
  Checked test({.local = false, .remote_version = TlsVersion::v1_2, .start = false});
  test.world.relay().patch_relayd({{"remote", {{"versions", {"tlsv1.3"}}}}});
  test.expect("protocol_version", "it supports no version in remote.versions");
}
