// The dialer against sockets on loopback: listening ones, refused ones, and black holes (a queue that is full).
#include "relayd/session/dialer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>

#include "tests/unit/catch.h"

using relayd::AddressBook;
using relayd::Dialer;
using relayd::SocketAddress;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLong{20'000};  // no test waits that long

// A socket on a loopback address and a port of its own.
struct Place {
  common::Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  SocketAddress address = *SocketAddress::parse("127.0.0.1", 0);

  Place() {
    REQUIRE(bind(socket.get(), address.get(), address.size) == 0);
    address = SocketAddress::bound_to(socket.get());
  }
};

struct Listening : Place {
  Listening() { REQUIRE(listen(socket.get(), 16) == 0); }
  int waiting() {
    int count = 0;
    while (common::Fd(accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC))) count++;
    return count;
  }
};

using Refusing = Place;  // bound, not listening

// A listener whose queue is full: the kernel drops every further SYN.
struct BlackHole : Place {
  std::deque<common::Fd> fill;
  BlackHole() {
    REQUIRE(listen(socket.get(), 0) == 0);
    for (int i = 0; i < 4; i++) {
      auto& client = fill.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      connect(client.get(), address.get(), address.size);
    }
  }
};

struct Loop {
  uv_loop_t loop{};
  Loop() { uv_loop_init(&loop); }
  ~Loop() {
    uv_run(&loop, UV_RUN_DEFAULT);
    REQUIRE(uv_loop_close(&loop) == 0);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
};

struct Result {
  int calls = 0;
  common::Fd socket;
  Dialer::Failure failure;

  static void take(void* self, common::Fd socket, const Dialer::Failure& failure) {
    auto* result = static_cast<Result*>(self);
    result->calls++;
    result->socket = std::move(socket);
    result->failure = failure;
  }
  SocketAddress peer() const {
    SocketAddress address;
    address.size = sizeof address.storage;
    REQUIRE(getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size) == 0);
    return address;
  }
};

Result dial(AddressBook& book, milliseconds budget = kLong) {
  Loop loop;
  Result result;
  {
    Dialer dialer(&loop.loop, book, budget, &result, Result::take);
    CHECK(result.calls == 0);
    while (result.calls == 0) uv_run(&loop.loop, UV_RUN_ONCE);
  }
  CHECK(result.calls == 1);
  return result;
}

uint64_t loop_time() {
  Loop loop;
  return uv_now(&loop.loop);
}

std::vector<std::string> texts(const std::vector<SocketAddress>& addresses) {
  std::vector<std::string> result;
  for (const auto& address : addresses) result.push_back(address.text());
  return result;
}

AddressBook book_of(std::initializer_list<const char*> addresses) {
  std::vector<SocketAddress> parsed;
  for (const char* text : addresses) parsed.push_back(*SocketAddress::parse(text));
  return AddressBook(parsed);
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
  CHECK(book.order(loop_time()) == std::vector{listening.address, refusing.address});
}

TEST_CASE("dialer: after a silent address the next one is tried, and the silent one is tried last afterwards") {
  BlackHole silent;
  Listening listening;
  AddressBook book({silent.address, listening.address});
  const auto result = dial(book);
  REQUIRE(result.socket);
  CHECK(result.peer() == listening.address);
  CHECK(book.order(loop_time()) == std::vector{listening.address, silent.address});
}

TEST_CASE("dialer: an attempt continues after its head start, and may win") {
  // Both are black holes; the first one opens while the dialer tries the second.
  BlackHole first, second;
  AddressBook book({first.address, second.address});
  Loop loop;
  Result result;
  {
    Dialer dialer(&loop.loop, book, kLong, &result, Result::take);
    const auto tried = [&] { return uv_now(&loop.loop); };
    const auto until = tried() + 300;
    while (tried() < until) uv_run(&loop.loop, UV_RUN_ONCE);
    CHECK(result.calls == 0);
    while (common::Fd(accept4(first.socket.get(), nullptr, nullptr, SOCK_CLOEXEC))) {
    }
    while (result.calls == 0) uv_run(&loop.loop, UV_RUN_ONCE);  // the kernel resends the SYN after a second
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

TEST_CASE("dialer: a failure names each address with its cause") {
  Refusing refusing;
  BlackHole silent;
  AddressBook book({refusing.address, silent.address});
  const auto result = dial(book, milliseconds(300));
  CHECK_FALSE(result.socket);
  CHECK_FALSE(result.failure.busy);
  CHECK(result.failure.text == refusing.address.text() + ": Connection refused; " + silent.address.text() +
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
  const auto text = dial(book).failure.text;
  CHECK(text.ends_with("; and 5 more"));
  CHECK(text.find(addresses[3].text()) != text.npos);
  CHECK(text.find(addresses[4].text()) == text.npos);
}

TEST_CASE("dialer: no address is a failure, from the loop") {
  AddressBook book;
  CHECK(dial(book).failure.text == "no address is known");
}

TEST_CASE("dialer: an unusable connection gives way to the next address, and its address is tried last afterwards") {
  Listening mute, other;
  AddressBook book({mute.address, other.address});
  Loop loop;
  Result result;
  {
    Dialer dialer(&loop.loop, book, kLong, &result, Result::take);
    while (result.calls == 0) uv_run(&loop.loop, UV_RUN_ONCE);
    REQUIRE(result.peer() == mute.address);
    CHECK(dialer.share(Dialer::Last::final) <= kLong / 2);
    CHECK(dialer.share(Dialer::Last::final) > kLong / 3);
    CHECK(book.order(loop_time()).front() == mute.address);  // not good yet, and not bad
    dialer.try_next("says nothing", Dialer::Last::final);
    CHECK(result.calls == 1);
    while (result.calls == 1) uv_run(&loop.loop, UV_RUN_ONCE);
    REQUIRE(result.peer() == other.address);
    CHECK(dialer.share(Dialer::Last::final) == dialer.left());
    dialer.keep();
    CHECK(book.order(loop_time()) == std::vector{other.address, mute.address});
  }
}

TEST_CASE("dialer: the only address is tried again if there is another way to use it") {
  Listening mute;
  AddressBook book({mute.address});
  Loop loop;
  Result result;
  Dialer dialer(&loop.loop, book, kLong, &result, Result::take);
  while (result.calls == 0) uv_run(&loop.loop, UV_RUN_ONCE);
  CHECK(dialer.share(Dialer::Last::final) == dialer.left());
  CHECK(dialer.share(Dialer::Last::again) <= kLong / 2);
  CHECK_FALSE(dialer.has_more());
  dialer.try_next("says nothing", Dialer::Last::again);
  while (result.calls == 1) uv_run(&loop.loop, UV_RUN_ONCE);
  REQUIRE(result.peer() == mute.address);
  dialer.try_next("says nothing still", Dialer::Last::final);
  while (result.calls == 2) uv_run(&loop.loop, UV_RUN_ONCE);
  CHECK(result.failure.text == mute.address.text() + ": says nothing; " + mute.address.text() + ": says nothing still");
}

TEST_CASE("dialer: when no address is usable, the failure names each, and they share one budget") {
  std::deque<Listening> places(Dialer::kMostConnections + 2);
  std::vector<SocketAddress> addresses;
  for (const auto& place : places) addresses.push_back(place.address);
  AddressBook book(addresses);
  bool early = true;  // before the budget is spent
  SECTION("addresses") {}
  SECTION("time") { early = false; }
  const auto budget = early ? kLong : milliseconds(50);
  Loop loop;
  Result result;
  {
    Dialer dialer(&loop.loop, book, budget, &result, Result::take);
    int connections = 0;
    while (true) {
      const int calls = result.calls;
      while (result.calls == calls) uv_run(&loop.loop, UV_RUN_ONCE);
      if (!result.socket) break;
      connections++;
      while (!early && dialer.left() > milliseconds(0)) uv_run(&loop.loop, UV_RUN_NOWAIT);
      dialer.try_next("says nothing", Dialer::Last::final);
    }
    CHECK(connections == (early ? static_cast<int>(Dialer::kMostConnections) : 1));
  }
  CHECK_FALSE(result.failure.busy);
  CHECK(result.failure.text.starts_with(addresses[0].text() + ": says nothing"));
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

// There is one local port, and the connection to the first address uses it: connect(2) fails with EADDRNOTAVAIL.
struct Exhausted {
  Listening first, second;
  common::Fd taken{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  Exhausted() {
    const common::Fd range(open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY));
    if (write(range.get(), "50000 50000", 11) != 11) _exit(kNoNetwork);
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
    return other && !result.socket && result.failure.busy && book.order(loop_time()).front() == place.first.address;
  }));
}

TEST_CASE("dialer: a destroyed dialer makes no callback") {
  BlackHole silent;
  AddressBook book({silent.address});
  Loop loop;
  Result result;
  { Dialer dialer(&loop.loop, book, milliseconds(1), &result, Result::take); }
  uv_run(&loop.loop, UV_RUN_DEFAULT);
  CHECK(result.calls == 0);
}

TEST_CASE("address book: families take turns, beginning with the resolver's first") {
  const auto book = book_of({"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "192.0.2.1:1", "192.0.2.2:1"});
  CHECK(texts(book.order(0)) == std::vector<std::string>{"[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1",
                                                         "192.0.2.2:1", "[2001:db8::3]:1"});
}

TEST_CASE("address book: a demoted address comes last for its time, and no address is left out") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1"});
  book.demote(*SocketAddress::parse("192.0.2.1:1"), 1000);
  CHECK(texts(book.order(1000)) == std::vector<std::string>{"192.0.2.2:1", "192.0.2.1:1"});
  CHECK(texts(book.order(1000 + AddressBook::kDemotion)) == std::vector<std::string>{"192.0.2.1:1", "192.0.2.2:1"});
  book.demote(*SocketAddress::parse("192.0.2.2:1"), 1000);
  CHECK(texts(book.order(1000)) == std::vector<std::string>{"192.0.2.1:1", "192.0.2.2:1"});
}

TEST_CASE("address book: a new order, or one address more or less, does not end another address's demotion") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"});
  const auto first = *SocketAddress::parse("192.0.2.1:1"), second = *SocketAddress::parse("192.0.2.2:1"),
             third = *SocketAddress::parse("192.0.2.3:1");
  book.demote(first, 0);
  book.replace({first, third, second});
  CHECK(book.order(1) == std::vector{third, second, first});
  book.replace({first, second});
  CHECK(book.order(1) == std::vector{second, first});
}

TEST_CASE("address book: a success or a change of the addresses ends a demotion, the same addresses again do not") {
  auto book = book_of({"192.0.2.1:1", "192.0.2.2:1"});
  const auto first = *SocketAddress::parse("192.0.2.1:1"), second = *SocketAddress::parse("192.0.2.2:1");
  const auto demoted = std::vector{second, first};
  book.demote(first, 0);
  book.replace({first, second});
  CHECK(book.order(1) == demoted);
  SECTION("success") { book.promote(first); }
  SECTION("change") {
    book.replace({second});
    book.replace({first, second});
  }
  CHECK(book.order(1) == std::vector{first, second});
}
