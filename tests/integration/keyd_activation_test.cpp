// keyd on a socket that the service manager opened earlier: a worker that asks early gets an answer. The test acts as
// systemd.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/keyd.h"
#include "tests/integration/harness/notify_socket.h"

using namespace harness;
using ipc::Status;

namespace {

struct Socket {
  explicit Socket(int family = AF_UNIX, int type = SOCK_SEQPACKET) : fd(::socket(family, type | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd >= 0);
  }
  ~Socket() { close(fd); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  Socket& bind(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return *this;
  }
  Socket& listen() {
    REQUIRE(::listen(fd, 16) == 0);
    return *this;
  }
  int fd;
};

// Connects at once, and gets the answer to its HELLO once a keyd serves.
std::unique_ptr<Forked> early_client(const std::string& socket, const TestKey& key) {
  return std::make_unique<Forked>([&] {
    KeydClient client(socket);
    if (client.ask(sign_request(7, key, "device")).status != Status::ok) throw Failure("not signed");
  });
}

pid_t who_listens(const std::string& path) {
  const Socket probe;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(connect(probe.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ucred credentials{};
  socklen_t size = sizeof credentials;
  REQUIRE(getsockopt(probe.fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0);
  return credentials.pid;
}

}  // namespace

TEST_CASE("a request that a worker sends before keyd starts, or during its restart, is answered once keyd runs") {
  Keyd keyd;
  const auto key = TestKey::generate("P-256");
  keyd.give_key("device", key);
  Socket socket;
  socket.bind(keyd.socket()).listen();
  CHECK(who_listens(keyd.socket()) == getpid());
  for (const char* start : {"the first", "the second"}) {
    CAPTURE(start);
    const auto client = early_client(keyd.socket(), key);
    pollfd waiting{socket.fd, POLLIN, 0};
    REQUIRE(poll(&waiting, 1, patience().poll_timeout()) == 1);  // the connection is in the socket's queue
    keyd.start({socket.fd});
    CHECK(client->succeeded());
    CHECK(who_listens(keyd.socket()) == keyd.process().pid());
    keyd.process().signal(SIGTERM);
    CHECK(keyd.process().wait().code == 0);
    CHECK(fs::is_socket(keyd.socket()));
  }
}

TEST_CASE("keyd accepts only a single listening SEQPACKET socket, otherwise it stops and says what it was passed") {
  Keyd keyd;
  const auto refused = [&](const std::vector<int>& sockets, const std::string& found) {
    const auto finished = keyd.run_with(sockets);
    CAPTURE(finished.err);
    CHECK(finished.status.code == 78);
    CHECK(finished.err.find(found) != std::string::npos);
    CHECK(finished.err.find("ListenSequentialPacket=") != std::string::npos);
  };
  const TempDir directory;
  Socket good, silent, stream(AF_UNIX, SOCK_STREAM), network(AF_INET, SOCK_STREAM);
  good.bind(keyd.socket()).listen();
  silent.bind(directory / "silent");
  stream.bind(directory / "stream").listen();
  refused({good.fd, good.fd}, "found 2 sockets");
  refused({silent.fd}, "does not listen");
  refused({stream.fd}, "a stream socket");
  refused({network.fd}, "a network socket");
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  refused({ends[0]}, "it is not a socket");
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("keyd serves on a passed socket at a path other than the configured one, and warns with both paths") {
  Keyd keyd;
  const auto key = TestKey::generate("P-256");
  keyd.give_key("device", key);
  const TempDir directory;
  const std::string elsewhere = directory / "elsewhere.sock";
  Socket socket;
  socket.bind(elsewhere).listen();
  keyd.start({socket.fd});
  const auto warning =
      keyd.process().err().wait_json([](const Json& j) { return j.contains("passed"); }, "the warning");
  CHECK(warning.at("level") == "warning");
  CHECK(warning.at("passed") == elsewhere);
  CHECK(warning.at("configured") == keyd.socket());
  CHECK(early_client(elsewhere, key)->succeeded());
}

TEST_CASE("keyd reports to the service manager that it is alive, and what it has signed and refused") {
  Keyd keyd;
  const TempDir directory;
  NotifySocket manager(directory / "notify");
  keyd.environment = {manager.environment(), "WATCHDOG_USEC=200000"};
  const auto key = TestKey::generate("P-256");
  keyd.give_key("device", key);
  keyd.start();
  manager.wait_ready(keyd.process());
  manager.wait_line("WATCHDOG=1", keyd.process());
  manager.wait_line("WATCHDOG=1", keyd.process());
  KeydClient client(keyd.socket());
  CHECK(client.ask(sign_request(1, key, "device")).status == Status::ok);
  CHECK(client.ask(sign_request(2, key, "stranger")).status == Status::not_found);
  while (manager.wait_line("STATUS=", keyd.process()) != "STATUS=1 signed, 1 refused, 1 keys in memory") {
  }
}
