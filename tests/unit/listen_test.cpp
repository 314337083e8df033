// The listening sockets that relayd's workers share.
#include "relayd/supervisor/listen.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "relayd/handover/socket_address.h"
#include "tests/unit/catch.h"

using namespace relayd;

namespace {

int option(const common::Fd& socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(getsockopt(socket.get(), level, name, &value, &size) == 0);
  return value;
}

// What a worker accepts from `listening` when a device has connected.
common::Fd accepted(int listening) {
  const auto address = SocketAddress::bound_to(listening);
  const common::Fd device(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(device.get(), address.get(), address.size) == 0);
  common::Fd socket(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(socket);
  return socket;
}

void has_the_options(const common::Fd& socket) {
  CHECK(option(socket, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(socket, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK(option(socket, IPPROTO_TCP, TCP_KEEPINTVL) == 15);
  CHECK(option(socket, IPPROTO_TCP, TCP_KEEPCNT) == 4);
}

}  // namespace

TEST_CASE("listeners: a device's connection has the TCP options of a session, with own sockets and passed ones") {
  Config::Listener listener;
  listener.bind = {"127.0.0.1", 0};
  listener.backlog = 16;
  const ListenSockets own(listener, 1);
  has_the_options(accepted(own.of(0, 1).front()));

  std::vector<common::Fd> passed;
  passed.emplace_back(::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto address = *SocketAddress::parse("::1", 0);
  REQUIRE(::bind(passed[0].get(), address.get(), address.size) == 0);
  REQUIRE(::listen(passed[0].get(), 16) == 0);
  const ListenSockets activated(listener, std::move(passed));
  has_the_options(accepted(activated.of(0, 1).front()));
}
