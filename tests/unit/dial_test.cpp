// A worker's dials through its connector: both halves of the channel, on a real socket pair.
#include "relayd/session/dial.h"

#include <deque>
#include <memory>

#include "relayd/session/connector_client.h"
#include "tests/unit/channel_support.h"
#include "tests/unit/descriptors.h"

using namespace unit;
using relayd::ConnectorClient;
using relayd::Dial;
using relayd::DialFailure;
using std::chrono::milliseconds;

namespace {

// The connector's half, and the worker's own.
struct Wired : Half {
  std::optional<ConnectorClient> client;
  explicit Wired(std::vector<SocketAddress> addresses, size_t most = 100) : Half(std::move(addresses)) {
    client.emplace(&loop, std::move(worker_end));
    if (most > 0) begin(most);
  }
  ~Wired() { client.reset(); }
};

struct Dialed {
  int calls = 0;
  common::Fd socket;
  DialFailure failure;

  static void take(void* self, common::Fd socket, const DialFailure& failure) {
    auto* result = static_cast<Dialed*>(self);
    result->calls++;
    result->socket = std::move(socket);
    result->failure = failure;
  }
};

}  // namespace

TEST_CASE("dial: an unusable connection gives way to the next address, and its address is tried last afterwards") {
  Listening mute, other;
  Wired wired({mute.address, other.address});
  const auto dialed = [&](Dialed& result) {
    auto dial = std::make_unique<Dial>(*wired.client, channel::Target::remote, kLong, &result, Dialed::take);
    CHECK(result.calls == 0);
    wired.run_until([&] { return result.calls > 0; });
    return dial;
  };
  Dialed first;
  auto dial = dialed(first);
  REQUIRE(peer_of(first.socket) == mute.address);
  CHECK(dial->share(Dial::Last::final) <= kLong / 2);
  CHECK(dial->share(Dial::Last::final) > kLong / 3);
  CHECK(dial->has_more());
  dial->try_next("says nothing", Dial::Last::final);
  CHECK(first.calls == 1);
  wired.run_until([&] { return first.calls == 2; });
  REQUIRE(peer_of(first.socket) == other.address);
  CHECK_FALSE(dial->has_more());
  CHECK(dial->share(Dial::Last::final) == dial->left());
  dial->keep();
  Dialed second;
  auto after = dialed(second);
  CHECK(peer_of(second.socket) == other.address);
  after->blame();  // both are doubtful now: the resolver's order counts
  Dialed third;
  auto again = dialed(third);
  CHECK(peer_of(third.socket) == mute.address);
  again->keep();
  Dialed fourth;
  const auto last = dialed(fourth);
  CHECK(peer_of(fourth.socket) == mute.address);
}

TEST_CASE("dial: the only address is tried again if there is another way to use it") {
  Listening mute;
  Wired wired({mute.address});
  Dialed result;
  Dial dial(*wired.client, channel::Target::remote, kLong, &result, Dialed::take);
  wired.run_until([&] { return result.calls == 1; });
  CHECK(dial.share(Dial::Last::final) == dial.left());
  CHECK(dial.share(Dial::Last::again) <= kLong / 2);
  CHECK_FALSE(dial.has_more());
  dial.try_next("says nothing", Dial::Last::again);
  wired.run_until([&] { return result.calls == 2; });
  REQUIRE(peer_of(result.socket) == mute.address);
  dial.try_next("says nothing still", Dial::Last::final);
  CHECK(result.calls == 2);
  wired.run_until([&] { return result.calls == 3; });
  CHECK(result.failure.text() ==
        mute.address.text() + ": says nothing; " + mute.address.text() + ": says nothing still");
}

TEST_CASE("dial: when no address is usable, the failure names each, and they share one budget") {
  std::deque<Listening> places(Dial::kMostConnections + 2);
  std::vector<SocketAddress> addresses;
  for (const auto& place : places) addresses.push_back(place.address);
  Wired wired(addresses);
  bool early = true;  // before the budget is spent
  SECTION("addresses") {}
  SECTION("time") { early = false; }
  Dialed result;
  Dial dial(*wired.client, channel::Target::remote, early ? kLong : milliseconds(50), &result, Dialed::take);
  int connections = 0;
  while (true) {
    const int calls = result.calls;
    wired.run_until([&] { return result.calls > calls; });
    if (!result.socket) break;
    connections++;
    while (!early && dial.left() > milliseconds(0)) uv_run(&wired.loop, UV_RUN_NOWAIT);
    dial.try_next("says nothing", Dial::Last::final);
  }
  CHECK(connections == (early ? static_cast<int>(Dial::kMostConnections) : 1));
  CHECK_FALSE(result.failure.busy());
  CHECK(result.failure.text().starts_with(addresses[0].text() + ": says nothing"));
}

TEST_CASE("dial: a failure has the causes of all attempts, before a connection and after") {
  Refusing refusing;
  Listening mute;
  Wired wired({refusing.address, mute.address});
  Dialed result;
  Dial dial(*wired.client, channel::Target::remote, kLong, &result, Dialed::take);
  wired.run_until([&] { return result.calls == 1; });
  dial.try_next("says nothing", Dial::Last::final);
  wired.run_until([&] { return result.calls == 2; });
  CHECK(result.failure.text() ==
        refusing.address.text() + ": Connection refused; " + mute.address.text() + ": says nothing");
  CHECK(result.failure.causes.refused);
}

TEST_CASE("dial: a destroyed dial makes no callback, and the connector gives it up") {
  BlackHole silent;
  Wired wired({silent.address});
  Dialed result;
  const long before = open_descriptors();
  {
    const Dial dial(*wired.client, channel::Target::remote, kLong, &result, Dialed::take);
    wired.run_until([&] { return open_descriptors() == before + 1; });
  }
  wired.run_until([&] { return open_descriptors() == before; });
  CHECK(result.calls == 0);
}

TEST_CASE("dial: a worker that asks before its connector runs is served when it does") {
  Listening broker;
  Wired wired({broker.address}, 0);
  Dialed result;
  const Dial dial(*wired.client, channel::Target::remote, kLong, &result, Dialed::take);
  wired.turn();
  CHECK(result.calls == 0);
  wired.begin();
  wired.run_until([&] { return result.calls == 1; });
  CHECK(peer_of(result.socket) == broker.address);
}

TEST_CASE("dial: a new connector continues the channel, and each question is answered once") {
  BlackHole silent;
  Listening broker;
  Wired wired({silent.address});
  Dialed waiting, meanwhile;
  const Dial first(*wired.client, channel::Target::remote, kLong, &waiting, Dialed::take);
  wired.turn();
  wired.turn();
  wired.channel.reset();  // the connector dies in the middle of a dial, and then one more is asked for
  const Dial second(*wired.client, channel::Target::remote, kLong, &meanwhile, Dialed::take);
  wired.turn();
  CHECK(waiting.calls + meanwhile.calls == 0);
  wired.remote = {broker.address};
  wired.begin();
  wired.run_until([&] { return waiting.calls == 1 && meanwhile.calls == 1; });
  CHECK(waiting.socket);
  CHECK(meanwhile.socket);
  wired.turn();
  wired.turn();
  CHECK(broker.waiting() == 2);
}

TEST_CASE("dial: without a connector it ends soon after its budget") {
  Wired wired({nowhere()}, 0);
  Dialed result;
  const Dial dial(*wired.client, channel::Target::remote, milliseconds(1), &result, Dialed::take);
  wired.run_until([&] { return result.calls == 1; });
  CHECK_FALSE(result.socket);
  CHECK_FALSE(result.failure.busy());
  CHECK(result.failure.text() == "connector: no answer within connect_timeout");
  CHECK(result.failure.causes.silent);
}

TEST_CASE("dial: a connection for which this process has no descriptor left is not the broker's fault") {
  Listening broker;
  Half half({broker.address});
  ConnectorClient client(&half.loop, common::Fd(fcntl(half.worker_end.get(), F_DUPFD_CLOEXEC, 0)));
  Dialed result;
  Dial dial(client, channel::Target::remote, kLong, &result, Dialed::take);
  const auto say = [&](const channel::Answer& answer, int attached = -1) {
    const auto bytes = channel::encode(answer);
    REQUIRE(common::send_datagram(half.duplicate.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                  attached));
  };
  say({0, channel::Began{}});
  bool busy = false;
  SECTION("the kernel dropped it") {
    busy = true;
    say({1, channel::Connected{.text = "192.0.2.1:1"}});
  }
  SECTION("something other than a TCP socket is not taken") {
    say({1, channel::Connected{.text = "192.0.2.1:1"}}, STDIN_FILENO);
  }
  half.run_until([&] { return result.calls == 1; });
  CHECK_FALSE(result.socket);
  CHECK(result.failure.busy() == busy);
}

TEST_CASE("channel: a worker reaches the next connector though the one before sent nonsense and read nothing") {
  Wired wired({nowhere()}, 0);
  const auto say = [&](std::string_view bytes) { REQUIRE(common::send_datagram(wired.duplicate.get(), bytes)); };
  const auto began = channel::encode(channel::Answer{0, channel::Began{}});
  say({reinterpret_cast<const char*>(began.data()), began.size()});
  say("nonsense");
  say(std::string(channel::kMaxAnswer * 2, 'x'));
  wired.turn();
  // More dials than the channel has room for.
  constexpr size_t kDials = 2000;
  std::vector<Dialed> results(kDials);
  std::vector<std::unique_ptr<Dial>> dials;
  for (Dialed& result : results)
    dials.push_back(std::make_unique<Dial>(*wired.client, channel::Target::remote, kLong, &result, Dialed::take));
  wired.begin(kDials);
  wired.run_until([&] { return std::ranges::all_of(results, [](const Dialed& result) { return result.calls == 1; }); });
  CHECK_FALSE(wired.over);
}
