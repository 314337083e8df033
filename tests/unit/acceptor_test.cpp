#include "relayd/worker/acceptor.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/catch.h"

using namespace relayd;
using std::chrono::milliseconds;

namespace {

struct Accepting {
  uv_loop_t loop{};
  Counters counters{};
  std::vector<SocketAddress> places;
  std::vector<common::Fd> taken;
  std::unique_ptr<Acceptor> acceptor;

  explicit Accepting(const Acceptor::Options& options = {}, int sockets = 1) {
    uv_loop_init(&loop);
    listener().max_connections = UINT64_MAX;
    std::vector<common::Fd> listeners;
    for (int i = 0; i < sockets; i++) {
      auto& fd = listeners.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const auto any = SocketAddress::parse("127.0.0.1", 0);
      REQUIRE(bind(fd.get(), any->get(), any->size) == 0);
      REQUIRE(listen(fd.get(), 1024) == 0);
      places.push_back(SocketAddress::bound_to(fd.get()));
    }
    acceptor = std::make_unique<Acceptor>(&loop, std::move(listeners), options, counters, listener(), this,
                                          [](void* self, common::Fd socket, const SocketAddress&) {
                                            auto* accepting = static_cast<Accepting*>(self);
                                            count(accepting->listener().connections);
                                            accepting->taken.push_back(std::move(socket));
                                          });
  }
  ~Accepting() {
    acceptor.reset();
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
  }
  Accepting(const Accepting&) = delete;
  Accepting& operator=(const Accepting&) = delete;

  common::Fd knock(size_t place = 0) {
    common::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(socket.get(), places[place].get(), places[place].size) == 0);
    return socket;
  }
  Counters::Listener& listener() { return counters.listeners[0]; }
  void turn() { uv_run(&loop, UV_RUN_NOWAIT); }
  // The milliseconds until all `count` new devices are admitted.
  uint64_t admit(size_t count, std::vector<common::Fd>& devices) {
    while (devices.size() < count) devices.push_back(knock());
    const auto begun = uv_now(&loop);
    while (taken.size() < count) uv_run(&loop, UV_RUN_ONCE);
    return uv_now(&loop) - begun;
  }
};

bool is_closed(const common::Fd& socket) {
  char byte = 0;
  return recv(socket.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

}  // namespace

TEST_CASE("acceptor: it accepts from all its sockets until it is stopped") {
  Accepting a({}, 2);
  const auto first = a.knock(0), second = a.knock(1);
  while (a.taken.size() < 2) a.turn();
  CHECK(a.counters.accepted == 2);
  a.acceptor->stop();
  const common::Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(connect(late.get(), a.places[0].get(), a.places[0].size) != 0);
}

TEST_CASE("acceptor: a connection over max_connections is closed at once, and a connection that ends makes room") {
  Accepting a;
  a.listener().max_connections = 2;
  std::vector<common::Fd> devices;
  for (int i = 0; i < 4; i++) devices.push_back(a.knock());
  while (a.counters.accepted < 4) a.turn();
  CHECK(a.taken.size() == 2);
  CHECK(a.counters.shed_connections == 2);
  CHECK_FALSE(is_closed(devices[0]));
  CHECK(is_closed(devices[2]));
  CHECK(is_closed(devices[3]));
  uncount(a.listener().connections);
  devices.push_back(a.knock());
  while (a.counters.accepted < 5) a.turn();
  CHECK(a.taken.size() == 3);
}

TEST_CASE("acceptor: over worker_max_memory new connections are closed and existing ones stay") {
  Accepting a({.max_memory = 1000});
  a.counters.memory = 1000;
  const auto old = a.knock();
  while (a.counters.accepted < 1) a.turn();
  a.counters.memory = 1001;
  const auto late = a.knock();
  while (a.counters.accepted < 2) a.turn();
  CHECK(a.taken.size() == 1);
  CHECK(a.counters.shed_memory == 1);
  CHECK_FALSE(is_closed(old));
  CHECK(is_closed(late));
}

TEST_CASE("acceptor: over max_conn_rate connections wait in the queue and are not refused") {
  Accepting a({.rate = {5, milliseconds(1000)}});
  std::vector<common::Fd> devices;
  CHECK(a.admit(7, devices) >= 1150);  // six over one, at 200 ms each, minus the lag of the loop's clock
  for (const auto& device : devices) CHECK_FALSE(is_closed(device));
}

TEST_CASE("acceptor: before it stops, it can take all that waits in its queues, without regard to max_conn_rate") {
  Accepting a({.rate = {1, milliseconds(1000)}, .backlog = 5}, 2);
  std::vector<common::Fd> devices;
  for (int i = 0; i < 8; i++) devices.push_back(a.knock(i < 6 ? 0 : 1));
  a.acceptor->take_all();
  CHECK(a.taken.size() == 8);  // listen(2)'s queue has room for one more than its backlog
  a.acceptor->stop();
  for (const auto& device : devices) CHECK_FALSE(is_closed(device));
}

TEST_CASE("acceptor: what waits in its queues is at most a full queue of each socket") {
  Accepting a({.backlog = 5});
  std::vector<common::Fd> devices;
  for (int i = 0; i < 8; i++) devices.push_back(a.knock());
  a.acceptor->take_all();
  CHECK(a.taken.size() == 6);
}

TEST_CASE("acceptor: of max_conn_rate, a tenth at most is admitted at once") {
  Accepting a({.rate = {100, milliseconds(1000)}});
  std::vector<common::Fd> devices;
  CHECK(a.admit(30, devices) >= 190);  // twenty over ten, at 10 ms each
}

TEST_CASE(
    "acceptor: without a free descriptor new connections are closed at once, and served again once there is one") {
  Accepting a;
  const auto before = a.knock();
  while (a.taken.empty()) a.turn();
  std::vector<common::Fd> devices;
  for (int i = 0; i < 3; i++) devices.push_back(a.knock());
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int lowest_free = fcntl(0, F_DUPFD_CLOEXEC, 0);
  close(lowest_free);
  const rlimit none{static_cast<rlim_t>(lowest_free), limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  while (a.counters.shed_descriptors < 3) a.turn();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(a.taken.size() == 1);
  for (const auto& device : devices) CHECK(is_closed(device));
  const auto after = a.knock();
  while (a.taken.size() < 2) a.turn();
  CHECK_FALSE(is_closed(after));
}
