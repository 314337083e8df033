// relayd's listeners as a service manager passes them: which sockets are accepted.
#include "relayd/supervisor/activation.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>

#include "relayd/handover/socket_address.h"
#include "relayd/supervisor/listen.h"
#include "tests/unit/catch.h"

using namespace relayd;

namespace {

common::Fd new_socket(int family, int type, const char* address, bool listening) {
  common::Fd fd(::socket(family, type | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (type == SOCK_STREAM && family != AF_UNIX) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address) {
    const auto where = SocketAddress::parse(address, 0);
    REQUIRE(bind(fd.get(), where->get(), where->size) == 0);
  }
  if (listening) REQUIRE(listen(fd.get(), 8) == 0);
  return fd;
}

const std::vector<Config::Listener> kOne(1);

std::string refusal(common::Fd fd) {
  std::vector<common::PassedSocket> passed;
  passed.push_back({std::move(fd), "mqtt"});
  try {
    activated_listeners(passed, kOne);
  } catch (const common::ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("passed TCP listeners of both families are taken over and do not block", "[activation]") {
  std::vector<common::PassedSocket> passed;
  for (const char* address : {"127.0.0.1", "::1"}) {
    const int family = std::string(address) == "::1" ? AF_INET6 : AF_INET;
    passed.push_back({new_socket(family, SOCK_STREAM, address, true), "mqtt"});
  }
  const auto listeners = activated_listeners(passed, kOne);
  REQUIRE(listeners.size() == 1);
  const auto sockets = listeners.front()->of(0, 1);
  REQUIRE(sockets.size() == 2);
  for (const int socket : sockets) CHECK((fcntl(socket, F_GETFL) & O_NONBLOCK) != 0);
  CHECK(passed.size() == 2);
  passed.clear();
  CHECK(activated_listeners(passed, kOne).empty());
}

TEST_CASE("a passed descriptor that is not a TCP listener is refused and the error says what it is", "[activation]") {
  const auto contains = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
    CHECK(text.find("\"mqtt\"") != std::string::npos);
    CHECK(text.find("ListenStream=") != std::string::npos);
  };
  const common::Fd listening = new_socket(AF_INET, SOCK_STREAM, "127.0.0.1", true);
  common::Fd connected = new_socket(AF_INET, SOCK_STREAM, nullptr, false);
  const SocketAddress address = SocketAddress::bound_to(listening.get());
  REQUIRE(connect(connected.get(), address.get(), address.size) == 0);
  contains(refusal(std::move(connected)), "is a connection");
  contains(refusal(new_socket(AF_INET, SOCK_DGRAM, "127.0.0.1", false)), "not TCP");
  contains(refusal(new_socket(AF_UNIX, SOCK_STREAM, nullptr, false)), "AF_UNIX");
  contains(refusal(common::Fd(open("/dev/null", O_RDONLY | O_CLOEXEC))), "not a socket");
}

TEST_CASE("a passed socket that an earlier process has shut down or changed serves again", "[activation]") {
  struct Harm {
    const char* name;
    std::function<int(int)> on;
  };
  const unsigned timeout = 1;
  sock_filter drop_all[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  const sock_fprog program{1, drop_all};
  const sockaddr nowhere{AF_UNSPEC, {}};
  const Harm harms[] = {
      {"it did not listen", [](int fd) { return shutdown(fd, SHUT_RDWR); }},
      {"it did not listen", [&](int fd) { return connect(fd, &nowhere, sizeof nowhere); }},
      {"TCP_USER_TIMEOUT",
       [&](int fd) { return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout); }},
      {"filtered packets",
       [&](int fd) { return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program); }},
      {"chose the socket",
       [&](int fd) { return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program); }},
      {"blocked", [](int fd) { return fcntl(fd, F_SETFL, 0); }},
  };
  for (const auto& [name, on] : harms) {
    CAPTURE(name);
    std::vector<common::PassedSocket> passed;
    passed.push_back({new_socket(AF_INET, SOCK_STREAM, "127.0.0.1", true), "mqtt"});
    const int fd = passed[0].fd.get();
    if (std::string(name) == "blocked") {
      REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
      REQUIRE(on(fd) == 0);
      CHECK(mended(fd, 8).find(name) != std::string::npos);
    } else {
      REQUIRE(on(fd) == 0);
    }
    const auto sockets = activated_listeners(passed, kOne);
    const SocketAddress address = SocketAddress::bound_to(fd);
    const common::Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(client.get(), address.get(), address.size) == 0);
    pollfd arrives{fd, POLLIN, 0};
    REQUIRE(poll(&arrives, 1, 10'000) == 1);
    CHECK(common::Fd(accept4(fd, nullptr, nullptr, SOCK_CLOEXEC)));
    CHECK(mended(fd, 8).empty());
  }
}

TEST_CASE("of several listeners a passed socket is for the one with its name or its address", "[activation]") {
  std::vector<common::PassedSocket> passed;
  passed.push_back({new_socket(AF_INET, SOCK_STREAM, "127.0.0.1", true), "mqtt"});
  passed.push_back({new_socket(AF_INET, SOCK_STREAM, "127.0.0.1", true), "lab"});
  std::vector<Config::Listener> listeners(3);
  listeners[0].name = "own";
  listeners[1].name = "lab";
  listeners[2].name = "plant";
  listeners[2].bind = {"127.0.0.1", SocketAddress::bound_to(passed[0].fd.get()).port()};
  const std::string of_mqtt = SocketAddress::bound_to(passed[0].fd.get()).text(),
                    of_lab = SocketAddress::bound_to(passed[1].fd.get()).text();
  const auto sockets = activated_listeners(passed, listeners);
  REQUIRE(sockets.size() == 2);
  CHECK(sockets[0]->serves(listeners[1]));
  CHECK(sockets[0]->text() == of_lab);
  CHECK(sockets[1]->serves(listeners[2]));
  CHECK(sockets[1]->text() == of_mqtt);

  std::vector<common::PassedSocket> stray;
  stray.push_back({new_socket(AF_INET, SOCK_STREAM, "127.0.0.1", true), "mqtt"});
  try {
    activated_listeners(stray, listeners);
    FAIL("a socket of no listener was accepted");
  } catch (const common::ConfigError& error) {
    const std::string text = error.what();
    CAPTURE(text);
    CHECK(text.find("found the socket \"mqtt\" on 127.0.0.1:") != std::string::npos);
    CHECK(text.find("FileDescriptorName=") != std::string::npos);
    CHECK(text.find("plant (" + of_mqtt + ")") != std::string::npos);
  }
}
