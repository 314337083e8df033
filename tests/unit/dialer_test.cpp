// The connector's dialer against sockets on loopback (places.h).
#include "relayd/connector/dialer.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "relayd/handover/tcp_options.h"
#include "tests/unit/catch.h"
#include "tests/unit/places.h"

using namespace unit;
using relayd::DialFailure;
using relayd::connector::AddressBook;
using relayd::connector::Dialer;
using relayd::connector::Route;
using relayd::connector::SocketQuota;
using relayd::connector::SourceAddresses;
using std::chrono::milliseconds;

namespace {

struct Result {
  int calls = 0;
  common::Fd socket;
  Route route;
  std::vector<Route> left;
  DialFailure failure;

  static void take(void* self, Dialer::Result got) {
    auto* result = static_cast<Result*>(self);
    result->calls++;
    result->socket = std::move(got.socket);
    result->route = got.route;
    result->left = std::move(got.left);
    result->failure = std::move(got.failure);
  }
  SocketAddress peer() const {
    CHECK(peer_of(socket) == route.address);
    return route.address;
  }
};

struct Dialing {
  SocketQuota quota;
  SourceAddresses any;
  Result result;
  Dialer dialer;
  Dialing(Loop& loop, AddressBook& book, milliseconds budget = kLong, size_t most = SIZE_MAX,
          SourceAddresses* sources = nullptr)
      : quota{most},
        dialer(&loop.loop, {book, quota, sources ? *sources : any}, book.order(uv_now(&loop.loop)), budget, &result,
               Result::take) {}
};

Result dial(AddressBook& book, milliseconds budget = kLong, size_t most = SIZE_MAX,
            SourceAddresses* sources = nullptr) {
  Loop loop;
  std::optional<Dialing> dialing;
  dialing.emplace(loop, book, budget, most, sources);
  CHECK(dialing->result.calls == 0);
  while (dialing->result.calls == 0) uv_run(&loop.loop, UV_RUN_ONCE);
  CHECK(dialing->result.calls == 1);
  Result result = std::move(dialing->result);
  dialing.reset();
  return result;
}

uint64_t loop_time() {
  Loop loop;
  return uv_now(&loop.loop);
}

std::vector<SocketAddress> addresses(const std::vector<Route>& routes) {
  std::vector<SocketAddress> result;
  for (const Route& route : routes) result.push_back(route.address);
  return result;
}

}  // namespace

TEST_CASE("dialer: the first address that listens is connected, and no other is tried") {
  Listening first, second;
  AddressBook book({first.address, second.address});
  const auto result = dial(book);
  REQUIRE(result.socket);
  CHECK(result.peer() == first.address);
  CHECK(first.waiting() == 1);
  CHECK(second.waiting() == 0);
}

TEST_CASE("dialer: addresses that refuse give way at once, and are tried last afterwards") {
  Refusing refusing;
  Listening listening;
  AddressBook book({refusing.address, listening.address});
  const auto begun = std::chrono::steady_clock::now();
  const auto result = dial(book);
  CHECK(std::chrono::steady_clock::now() - begun < kLong);
  REQUIRE(result.socket);
  CHECK(result.peer() == listening.address);
  CHECK(addresses(book.order(loop_time())) == std::vector{listening.address, refusing.address});
}

TEST_CASE("dialer: after a silent address the next one is tried, and the silent one is tried last afterwards") {
  BlackHole silent;
  Listening listening;
  AddressBook book({silent.address, listening.address});
  const auto result = dial(book);
  REQUIRE(result.socket);
  CHECK(result.peer() == listening.address);
  CHECK(addresses(book.order(loop_time())) == std::vector{listening.address, silent.address});
}

TEST_CASE("dialer: an attempt continues after its head start, and may win") {
  // Both are black holes; the first one opens while the dialer tries the second.
  BlackHole first, second;
  AddressBook book({first.address, second.address});
  Loop loop;
  Result result;
  {
    Dialing dialing(loop, book);
    const auto tried = [&] { return uv_now(&loop.loop); };
    const auto until = tried() + 300;
    while (tried() < until) uv_run(&loop.loop, UV_RUN_ONCE);
    CHECK(dialing.result.calls == 0);
    REQUIRE(listen(first.socket.get(), 16) == 0);  // its queue has room for those that fill it, and for the dialer
    while (dialing.result.calls == 0) uv_run(&loop.loop, UV_RUN_ONCE);  // the kernel resends the SYN after a second
    result = std::move(dialing.result);
  }
  REQUIRE(result.socket);
  CHECK(result.peer() == first.address);
}

TEST_CASE("dialer: a good address after four dead ones is reached") {
  Refusing refusing[2];
  BlackHole silent[2];
  Listening listening;
  AddressBook book({refusing[0].address, silent[0].address, silent[1].address, refusing[1].address, listening.address});
  CHECK(dial(book).peer() == listening.address);
}

TEST_CASE("dialer: another broker is tried beside a silent one only after a longer time") {
  BlackHole silent;
  Listening listening;
  AddressBook book(2, relayd::connector::BrokerOrder(relayd::Config::Strategy::failover, {{"a", 1}, {"b", 1}}));
  book.replace(0, {silent.address});
  book.replace(1, {listening.address});
  const auto begun = std::chrono::steady_clock::now();
  const auto result = dial(book, 6 * Dialer::kHeadStart);
  CHECK(result.peer() == listening.address);
  CHECK(result.route.broker == 1);
  // 500 ms by the loop's clock, which may be behind; with one broker's addresses it would be 250.
  CHECK(std::chrono::steady_clock::now() - begun > Dialer::kHeadStart * 3 / 2);
}

TEST_CASE("dialer: a failure names each address with its cause") {
  Refusing refusing;
  BlackHole silent;
  AddressBook book({refusing.address, silent.address});
  const auto result = dial(book, milliseconds(300));
  CHECK_FALSE(result.socket);
  CHECK_FALSE(result.failure.busy());
  CHECK(result.failure.text() == refusing.address.text() + ": Connection refused; " + silent.address.text() +
                                     ": no answer within connect_timeout");
  CHECK(result.failure.causes.refused);
  CHECK(result.failure.causes.silent);
  CHECK_FALSE(result.failure.causes.no_route);
}

TEST_CASE("dialer: a failure's text is bounded") {
  std::deque<Refusing> many(9);
  std::vector<SocketAddress> addresses;
  for (const auto& place : many) addresses.push_back(place.address);
  AddressBook book(addresses);
  const auto text = dial(book).failure.text();
  CHECK(text.ends_with("; and 5 more"));
  CHECK(text.find(addresses[3].text()) != text.npos);
  CHECK(text.find(addresses[4].text()) == text.npos);
}

TEST_CASE("dialer: no address is a failure, from the loop") {
  AddressBook book;
  CHECK(dial(book).failure.text() == "no address is known");
}

TEST_CASE("dialer: what was not connected is left, attempts that lost the race first") {
  BlackHole silent;
  Listening listening, other;
  AddressBook book({silent.address, listening.address, other.address});
  const auto result = dial(book);
  CHECK(result.peer() == listening.address);
  CHECK(addresses(result.left) == std::vector{silent.address, other.address});
}

TEST_CASE("dialer: beyond the quota no socket is made, which counts against no address") {
  BlackHole silent;
  Listening listening;
  AddressBook book({silent.address, listening.address});
  const auto result = dial(book, milliseconds(600), 1);  // the second attempt begins beside the first
  CHECK_FALSE(result.socket);
  CHECK(result.failure.busy());
  CHECK_FALSE(book.is_doubtful({listening.address}));
  CHECK(dial(book, kLong, 2).peer() == listening.address);
}

namespace {

constexpr int kNoNetwork = 77;

// Runs `work` in a child that has a network of its own, with loopback addresses only.
bool in_own_network(bool (*work)()) {
  const pid_t child = fork();
  if (child == 0) {
    ifreq lo{"lo", {}};
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    const bool made = unshare(CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) == 0 &&
                      ioctl(common::Fd(::socket(AF_INET, SOCK_DGRAM, 0)).get(), SIOCSIFFLAGS, &lo) == 0;
    _exit(!made ? kNoNetwork : work() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == kNoNetwork) WARN("SKIPPED: no network namespace can be made here");
  return status == 0 || WEXITSTATUS(status) == kNoNetwork;
}

void set_local_ports(std::string_view range) {
  const common::Fd file(open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY));
  if (write(file.get(), range.data(), range.size()) != static_cast<ssize_t>(range.size())) _exit(kNoNetwork);
}

bool kernel_tries_all_ports() {
  utsname system{};
  uname(&system);
  std::pair<int, int> version;
  return sscanf(system.release, "%d.%d", &version.first, &version.second) == 2 && version >= std::pair(6, 8);
}

// For what listens, ports that are not among the few that are left for connections: the kernel doesn't connect from a
// port that a listener has bound.
struct PortsToListen {
  PortsToListen() { set_local_ports("40000 49999"); }
};

// A broker, and 64 local ports for connections to it, which stay open.
struct FewPorts : PortsToListen {
  Listening broker;
  AddressBook book{{broker.address}};
  std::deque<common::Fd> open;
  FewPorts() { set_local_ports("50000 50063"); }
  // The local port of a new connection; nullopt: there is none.
  std::optional<int> next() {
    auto got = dial(book);
    if (!got.socket) return std::nullopt;
    open.push_back(std::move(got.socket));
    broker.waiting();
    return SocketAddress::bound_to(open.back().get()).port();
  }
};

// There is one local port, and the connection to the first address uses it: connect(2) fails with EADDRNOTAVAIL.
struct Exhausted : PortsToListen {
  Listening first, second;
  common::Fd taken{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  Exhausted() {
    set_local_ports("50000 50000");
    REQUIRE(connect(taken.get(), first.address.get(), first.address.size) == 0);
  }
};

}  // namespace

TEST_CASE("dialer: without a free local port the failure is busy, and no address is demoted for it") {
  CHECK(in_own_network([] {
    Exhausted place;
    AddressBook book({place.first.address, place.second.address});
    AddressBook only({place.first.address});
    const bool other = dial(book).peer() == place.second.address;  // each destination has local ports of its own
    const auto result = dial(only);
    return other && !result.socket && result.failure.busy() &&
           book.order(loop_time()).front().address == place.first.address;
  }));
}

// Linux tries ports of the range's lower parity first, unless told otherwise; the search gets long when these are used.
TEST_CASE("dialer: ports of both parities are used from the start") {
  if (!kernel_tries_all_ports()) {
    WARN("SKIPPED: this kernel tries ports of one parity first");
    return;
  }
  CHECK(in_own_network([] {
    FewPorts few;
    std::set<int> parities;
    for (int i = 0; i < 32; i++) parities.insert(few.next().value() % 2);
    return parities.size() == 2;
  }));
}

TEST_CASE("dialer: each port of the machine's range serves, and the failure is busy when all are used") {
  CHECK(in_own_network([] {
    FewPorts few;
    std::set<int> ports;
    while (const auto port = few.next()) ports.insert(*port);
    const bool all = ports.size() == 64 && *ports.begin() == 50000 && *ports.rbegin() == 50063;
    return all && dial(few.book).failure.busy();
  }));
}

TEST_CASE("dialer: source addresses take turns, only those of the destination's family") {
  Listening broker;
  AddressBook book({broker.address});
  SourceAddresses sources({"127.0.0.5", "::1", "127.0.0.6"});
  std::map<std::string, int> uses;
  for (int i = 0; i < 6; i++) {
    const auto result = dial(book, kLong, SIZE_MAX, &sources);
    REQUIRE(result.socket);
    uses[SocketAddress::bound_to(result.socket.get()).host()]++;
  }
  CHECK(uses.size() == 2);
  CHECK(uses["127.0.0.5"] >= 2);
  CHECK(uses["127.0.0.6"] >= 2);
}

TEST_CASE("dialer: with source addresses of the other family only, the failure says so") {
  Listening broker;
  AddressBook book({broker.address});
  SourceAddresses sources({"::1"});
  const auto result = dial(book, kLong, SIZE_MAX, &sources);
  CHECK_FALSE(result.socket);
  CHECK(result.failure.text() == broker.address.text() + ": remote.bind has no address of this family");
}

TEST_CASE("dialer: a source address that this machine does not have counts against no broker, and the others serve") {
  Listening broker;
  AddressBook book({broker.address});
  SourceAddresses some({"192.0.2.77", "127.0.0.5"}), none({"192.0.2.77"});
  for (int i = 0; i < 3; i++) CHECK(dial(book, kLong, SIZE_MAX, &some).peer() == broker.address);
  const auto result = dial(book, kLong, SIZE_MAX, &none);
  CHECK_FALSE(result.socket);
  CHECK(result.failure.busy());
  CHECK(result.failure.text().ends_with("so this machine can't connect from 192.0.2.77 (remote.bind)"));
  CHECK_FALSE(book.is_doubtful({broker.address}));
}

TEST_CASE("dialer: when one source address has no port left the next serves, and busy is said when none has") {
  CHECK(in_own_network([] {
    FewPorts few;  // 64 of each source address
    SourceAddresses sources({"127.0.0.5", "127.0.0.6", "127.0.0.7"});
    std::map<std::string, int> uses;
    for (;;) {
      auto got = dial(few.book, kLong, SIZE_MAX, &sources);
      if (!got.socket)
        return uses == std::map<std::string, int>{{"127.0.0.5", 64}, {"127.0.0.6", 64}, {"127.0.0.7", 64}} &&
               got.failure.busy() && !few.book.is_doubtful({few.broker.address});
      few.open.push_back(std::move(got.socket));
      few.broker.waiting();
      uses[SocketAddress::bound_to(few.open.back().get()).host()]++;
    }
  }));
}

TEST_CASE("local ports: sockets of both families accept the range") {
  for (const int family : {AF_INET, AF_INET6}) {
    const common::Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    uint32_t range = 0;
    socklen_t size = sizeof range;
    if (!socket || getsockopt(socket.get(), IPPROTO_IP, relayd::kLocalPortRange, &range, &size) != 0) {
      WARN("SKIPPED: this kernel lacks IPv6 or IP_LOCAL_PORT_RANGE");
      continue;
    }
    relayd::use_any_local_port(socket.get());
    REQUIRE(getsockopt(socket.get(), IPPROTO_IP, relayd::kLocalPortRange, &range, &size) == 0);
    CHECK(range == 0xffff0001);
  }
}

TEST_CASE("dialer: a destroyed dialer makes no callback") {
  BlackHole silent;
  AddressBook book({silent.address});
  Loop loop;
  SocketQuota quota;
  SourceAddresses any;
  Result result;
  { Dialer dialer(&loop.loop, {book, quota, any}, {{silent.address}}, milliseconds(1), &result, Result::take); }
  uv_run(&loop.loop, UV_RUN_DEFAULT);
  CHECK(result.calls == 0);
  CHECK(quota.used == 0);
}
