// relayd on a socket that the service manager opened and keeps open: no device is refused while relayd restarts. The
// test acts as systemd.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

struct Listening {
  explicit Listening(const Endpoint& at, int type = SOCK_STREAM) : fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(at.port);
    REQUIRE(inet_pton(AF_INET, at.host.c_str(), &address.sin_addr) == 1);
    const int on = 1;  // earlier tests in this process have left connections to the port in TIME_WAIT
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    if (type == SOCK_STREAM) REQUIRE(listen(fd, 16) == 0);
  }
  ~Listening() { close(fd); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  int fd;
};

void knock_and_join(World& world, TlsStream& stream, const std::string& id) {
  world.give_key(id, device_identity("p256", 1));
  stream.handshake();
  Device device(std::move(stream));
  device.join(id).ping();
}

TlsStream early(World& world) {
  const auto identity = device_identity("p256", 1);
  return TlsStream::open(world.relay().endpoint(), TlsContext::client(&identity, authorities().root));
}

}  // namespace

TEST_CASE("with socket activation a device that connects before relayd starts, or during a restart, is served") {
  World world({.relayd = {{"workers", 2}}, .start = false});
  const Listening socket(world.relay().endpoint());
  world.relay().options().relayd_sockets = {socket.fd};
  auto first = early(world);
  world.relay().start();
  knock_and_join(world, first, "first");

  world.relay().relayd().signal(SIGTERM);
  REQUIRE(world.relay().relayd().wait().code == 0);
  auto second = early(world);
  world.relay().start_relayd();
  knock_and_join(world, second, "second");
}

TEST_CASE("a passed socket serves on across a reload and a worker's death") {
  World world({.start = false});
  const Listening socket(world.relay().endpoint());
  world.relay().options().relayd_sockets = {socket.fd};
  world.relay().start();
  CHECK(world.relay().reload().at("msg") == "relayd reloaded");
  auto after_reload = early(world);
  knock_and_join(world, after_reload, "after-reload");
  const auto mark = world.relay().log().mark();
  REQUIRE(kill(world.relay().workers().at(0), SIGKILL) == 0);
  auto after_death = early(world);
  knock_and_join(world, after_death, "after-death");
  world.relay().wait_worker_started(0, mark);
}

TEST_CASE("relayd accepts only listening TCP sockets, otherwise it stops and says what it was passed") {
  World world({.start = false});
  world.relay().start_keyd();
  const Listening datagrams(world.relay().endpoint(), SOCK_DGRAM);
  world.relay().options().relayd_sockets = {datagrams.fd};
  const auto refused = world.relay().run_relayd();
  CAPTURE(refused.err);
  CHECK(refused.status.code == 78);
  CHECK(refused.err.find("it is not TCP") != std::string::npos);
  CHECK(refused.err.find("ListenStream=") != std::string::npos);
}

TEST_CASE("a passed socket that a process shuts down or makes block is mended while relayd serves") {
  World world({.relayd = {{"workers", 2}}, .start = false});
  const Listening socket(world.relay().endpoint());
  world.relay().options().relayd_sockets = {socket.fd};
  world.relay().start();
  auto before = early(world);
  knock_and_join(world, before, "before");

  auto mark = world.relay().log().mark();
  REQUIRE(shutdown(socket.fd, SHUT_RDWR) == 0);
  world.relay().log().wait_text("it did not listen", mark);
  auto after = early(world);
  knock_and_join(world, after, "after");

  mark = world.relay().log().mark();
  REQUIRE(fcntl(socket.fd, F_SETFL, 0) == 0);
  world.relay().log().wait_text("it blocked", mark);
  auto last = early(world);
  knock_and_join(world, last, "last");
  CHECK((fcntl(socket.fd, F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("relayd starts on a passed socket that an earlier process shut down") {
  World world({.start = false});
  const Listening socket(world.relay().endpoint());
  REQUIRE(shutdown(socket.fd, SHUT_RDWR) == 0);
  world.relay().options().relayd_sockets = {socket.fd};
  world.relay().start();
  auto device = early(world);
  knock_and_join(world, device, "device");
}
