// A flood of clients that connect to the listener and never complete a handshake.

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/faults/footprint.h"
#include "tests/faults/stage.h"
#include "tests/integration/harness/catch.h"

using namespace faults;
using namespace harness;
using namespace std::chrono_literals;

namespace {

constexpr auto handshake_timeout = 3s;
constexpr int flood_size = under_sanitizer ? 600 : 3000;
constexpr size_t kept_fibers = 64;  // FiberPool

std::string a_client_hello() {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_connect(ssl.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  return {bytes, static_cast<size_t>(size)};
}

// A third of the clients sends nothing, a third half a ClientHello, and a third one byte of it each second.
class Flood {
 public:
  explicit Flood(const Endpoint& door) : hello_(a_client_hello()) {
    for (int i = 0; i < flood_size; i++) {
      begin(door);
      if (i % 3 == 1) say(sockets_.back(), hello_.size() / 2);
    }
  }
  ~Flood() {
    for (const auto& s : sockets_)
      if (s.fd >= 0) close(s.fd);
  }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  // Waits until relayd has closed all of them; returns how long the first and the last one lasted.
  std::pair<milliseconds, milliseconds> wait_all_ended(Deadline deadline) {
    for (size_t left = sockets_.size(); left > 0;) {
      if (deadline.over()) throw Failure(std::to_string(left) + " idle connections are still open");
      std::vector<pollfd> open;
      for (const auto& s : sockets_) open.push_back({s.fd, POLLIN, 0});  // poll(2) ignores descriptors of -1
      poll(open.data(), open.size(), 100);
      for (size_t i = 0; i < open.size(); i++)
        if (open[i].revents && ended(sockets_[i])) left--;
      dribble();
    }
    return {shortest_, longest_};
  }

 private:
  struct Socket {
    int fd;
    Clock::time_point began, spoke;
    size_t said = 0;
  };

  void begin(const Endpoint& door) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(door.port);
    inet_pton(AF_INET, door.host.c_str(), &at.sin_addr);
    const auto now = Clock::now();
    sockets_.push_back({socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), now, now});
    if (connect(sockets_.back().fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail_errno("connect");
  }
  void say(Socket& to, size_t bytes) {
    send(to.fd, hello_.data() + to.said, bytes, MSG_NOSIGNAL);
    to.said += bytes;
    to.spoke = Clock::now();
  }
  void dribble() {
    for (size_t i = 2; i < sockets_.size(); i += 3)
      if (sockets_[i].fd >= 0 && Clock::now() - sockets_[i].spoke >= 1s) say(sockets_[i], 1);
  }
  bool ended(Socket& s) {
    char rest[64];  // an alert
    if (recv(s.fd, rest, sizeof rest, MSG_DONTWAIT) > 0) return false;
    const auto lasted = std::chrono::duration_cast<milliseconds>(Clock::now() - s.began);
    shortest_ = std::min(shortest_, lasted);
    longest_ = std::max(longest_, lasted);
    close(std::exchange(s.fd, -1));
    return true;
  }

  const std::string hello_;
  std::vector<Socket> sockets_;
  milliseconds shortest_ = milliseconds::max(), longest_{0};
};

Footprint of_workers(Stage& stage) {
  Footprint sum;
  for (const auto pid : stage.relay().workers()) {
    const auto one = Footprint::of(pid);
    sum.memory += one.memory;
    sum.descriptors += one.descriptors;
    sum.fibers = std::max(sum.fibers, one.fibers);
  }
  return sum;
}

}  // namespace

TEST_CASE("a flood of idle connections, half ClientHellos and one-byte-a-second senders disturbs no session") {
  Stage stage({.relayd = {{"listener", {{"handshake_timeout", "3s"}, {"max_conn_rate", "infinity"}}}}});
  const auto before = of_workers(stage);
  Flood flood(stage.relay().endpoint());

  // keyd and the workers still have time for real devices.
  stage.world().give_key("newcomer", device_identity("p256", 1));
  const auto began = Clock::now();
  auto newcomer = stage.world().device(device_identity("p256", 1));
  newcomer.join("newcomer");
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
  const auto during = of_workers(stage);
  newcomer.disconnect();
  newcomer.tls().read_to_end();

  const auto [shortest, longest] = flood.wait_all_ended(stage.patience());
  CHECK(shortest >= handshake_timeout - 100ms);  // the loop's clock may be 100 ms behind
  CHECK(during.fibers <= kept_fibers);
  const auto figures = stage.finish();
  CHECK(figures.disturbed == 0);
  CHECK(of_workers(stage).descriptors == before.descriptors);
  print_figures(std::to_string(flood_size) + " idle connections closed after " + seconds(shortest) + " to " +
                seconds(longest) + " (handshake_timeout 3 s); a device came in within " + seconds(took) +
                " meanwhile; both workers " + before.text() + " -> " + during.text());
}
