// What the scenarios rely on: only the intended program asks the name server, and the link does what it is configured
// to.

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/dns_server.h"
#include "tests/faults/shaped_link.h"
#include "tests/integration/harness/need.h"
#include "tests/integration/harness/process.h"
#include "tests/integration/harness/tls_stream.h"

using namespace harness;
using namespace faults;
using namespace std::chrono_literals;

namespace {

std::string resolved(DnsServer& dns) {
  const auto got = run({.argv = {"getent", "ahosts", "broker.faults.test"}, .before_exec = dns.resolv_conf()});
  return std::to_string(got.status.code) + " " + got.out;
}

// A UDP socket that echoes what it receives, as a host at the far end.
class Echo {
 public:
  explicit Echo(const ShapedLink& link) {
    link.run_at_far_end([this] { fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); });
    bind_to(fd_, link.far_address());
    thread_ = std::thread([this] {
      char packet[100];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      for (ssize_t got; (got = recvfrom(fd_, packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &size)) > 0;)
        sendto(fd_, packet, static_cast<size_t>(got), 0, reinterpret_cast<sockaddr*>(&from), size);
    });
  }
  ~Echo() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }

  static sockaddr_in at(const std::string& address) {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(7);
    inet_pton(AF_INET, address.c_str(), &made.sin_addr);
    return made;
  }
  static void bind_to(int fd, const std::string& address) {
    const auto to = at(address);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail_errno("bind " + address);
  }

 private:
  int fd_ = -1;
  std::thread thread_;
};

class Pinger {
 public:
  explicit Pinger(const ShapedLink& link) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const auto to = Echo::at(link.far_address());
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail_errno("connect");
  }
  ~Pinger() { close(fd_); }

  // Returns how long an echo took; nullopt: longer than `limit`.
  std::optional<Clock::duration> ping(std::chrono::milliseconds limit) {
    const timeval wait{limit.count() / 1000, limit.count() % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    const auto began = Clock::now();
    const uint32_t number = ++number_;
    send(fd_, &number, sizeof number, 0);
    for (uint32_t echo = 0; recv(fd_, &echo, sizeof echo, 0) > 0;)
      if (echo == number) return Clock::now() - began;
    return std::nullopt;
  }

 private:
  int fd_;
  uint32_t number_ = 0;
};

}  // namespace

TEST_CASE("the test's name server gives its answers to the program under test, and to no other", "[root]") {
  NEEDS_ROOT();
  DnsServer dns(own_address());
  dns.answer({"192.0.2.1", "2001:db8::1"});
  const auto two = resolved(dns);
  CHECK(two.find("192.0.2.1 ") != two.npos);
  CHECK(two.find("2001:db8::1 ") != two.npos);
  dns.answer({"192.0.2.2"});
  const auto one = resolved(dns);
  CHECK(one.find("192.0.2.1 ") == one.npos);
  CHECK(one.find("192.0.2.2 ") != one.npos);
  const auto asked = dns.questions();
  dns.fail();
  CHECK(resolved(dns) == "2 ");
  dns.be_silent();
  CHECK(resolved(dns) == "2 ");
  CHECK(dns.questions() > asked);
  CHECK(read_file("/etc/resolv.conf").find("timeout:1 attempts:1") == std::string::npos);
}

TEST_CASE("the test's link delays, loses and cuts as configured", "[root]") {
  NEEDS_ROOT();
  ShapedLink link;
  const Echo echo(link);
  Pinger pinger(link);
  REQUIRE(pinger.ping(20s));
  link.shape(50ms, 0);
  const auto delayed = pinger.ping(20s);
  REQUIRE(delayed);
  CHECK(*delayed >= 100ms);

  link.shape(0ms, 20);
  const auto before = link.figures();
  for (int i = 0; i < 200; i++) pinger.ping(20ms);
  const auto after = link.figures();
  const auto dropped = after.dropped - before.dropped, sent = dropped + after.passed - before.passed;
  CHECK(dropped > sent / 10);
  CHECK(dropped < sent * 3 / 10);

  link.shape(0ms, 0);
  link.cut();
  CHECK(!pinger.ping(50ms));
  link.restore();
  CHECK(pinger.ping(20s));
}
