// The channel between a worker and its connector: the messages, a hostile worker, a connector that is replaced, and
// dials through a real connector's half on a real socket pair.
#include "relayd/handover/channel.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "common/datagram.h"
#include "common/unix_address.h"
#include "ipc/codec.h"
#include "keyd_support.h"
#include "relayd/connector/worker_channel.h"
#include "relayd/session/connector_client.h"
#include "relayd/session/dial.h"
#include "tests/unit/catch.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/places.h"

using namespace unit;
using namespace relayd;
using connector::WorkerChannel;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLong{20'000};  // no test waits that long
constexpr int kWorker = 3;

std::pair<common::Fd, common::Fd> socket_pair() {
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
  return {common::Fd(pair[0]), common::Fd(pair[1])};
}

// A loop, and the connector's half of one worker's channel. `duplicate` is what the supervisor keeps.
struct Half {
  uv_loop_t loop{};
  ConnectorPlan plan;
  common::Fd worker_end, duplicate;
  std::vector<SocketAddress> remote;
  std::optional<WorkerChannel> channel;
  std::optional<std::string> over;  // why the channel has ended

  explicit Half(std::vector<SocketAddress> addresses) : remote(std::move(addresses)) {
    uv_loop_init(&loop);
    plan.connect_timeout = kLong;
    plan.sign_timeout = milliseconds(1234);
    plan.series = 0x1122334455667788;
    std::tie(worker_end, duplicate) = socket_pair();
  }
  ~Half() {
    channel.reset();
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0) abort();
  }
  Half(const Half&) = delete;
  Half& operator=(const Half&) = delete;

  void begin(size_t most = 100) {
    channel.emplace(&loop, plan, kWorker, common::Fd(fcntl(duplicate.get(), F_DUPFD_CLOEXEC, 0)), most, this, ended);
    channel->know(remote, {});
  }
  static void ended(void* self, int worker, const std::string& why) {
    CHECK(worker == kWorker);
    static_cast<Half*>(self)->over = why;
  }
  template <typename Until>
  void run_until(Until until) {
    while (!until()) uv_run(&loop, UV_RUN_ONCE);
  }
  void turn() {
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  void say(std::span<const uint8_t> bytes, int attached = -1) {
    REQUIRE(
        common::send_datagram(worker_end.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, attached));
  }
  void ask(const channel::Question& question) { say(channel::encode(question)); }
  std::optional<channel::Answer> answer(common::Fd& attached) {
    char bytes[channel::kMaxMessage];
    const ssize_t got = common::receive_datagram(worker_end.get(), bytes, attached);
    if (got <= 0) return std::nullopt;
    return channel::decode_answer({reinterpret_cast<const uint8_t*>(bytes), static_cast<size_t>(got)});
  }
  channel::Answer wait_answer(common::Fd& attached) {
    std::optional<channel::Answer> got;
    run_until([&] { return (got = answer(attached)).has_value(); });
    return *got;
  }
  channel::Answer wait_answer() {
    common::Fd attached;
    auto got = wait_answer(attached);
    CHECK_FALSE(attached);
    return got;
  }
  void expect_began() { CHECK(std::holds_alternative<channel::Began>(wait_answer().body)); }
  void begin_both(size_t most = 100) {
    begin(most);
    expect_began();
    ask({0, channel::Begin{}});
  }
};

// The same, with the worker's own half.
struct Wired : Half {
  std::optional<ConnectorClient> client;
  explicit Wired(std::vector<SocketAddress> addresses, size_t most = 100) : Half(std::move(addresses)) {
    client.emplace(&loop, std::move(worker_end));
    if (most > 0) begin(most);
  }
  ~Wired() { client.reset(); }
};

struct Result {
  int calls = 0;
  common::Fd socket;
  DialFailure failure;

  static void take(void* self, common::Fd socket, const DialFailure& failure) {
    auto* result = static_cast<Result*>(self);
    result->calls++;
    result->socket = std::move(socket);
    result->failure = failure;
  }
};

std::vector<channel::Question> questions() {
  return {{0, channel::Begin{}},
          {1, channel::Dial{channel::Target::remote, 10'000}},
          {UINT64_MAX, channel::Dial{channel::Target::local, channel::kMaxBudgetMs,
                                     std::vector<uint64_t>(channel::kMaxAddresses, 7)}},
          {2, channel::Cancel{}},
          {0, channel::Judge{channel::Target::remote, 5, true}},
          {3, channel::Keyd{}}};
}

std::vector<channel::Answer> answers() {
  DialFailure failure;
  for (int i = 0; i < 9; i++) failure.add(std::string(200, 'a'), std::string(200, 'b'));
  failure.causes.silent = true;
  return {{0, channel::Began{}},
          {1, channel::Connected{7, true, "192.0.2.1:1", std::vector<uint64_t>(channel::kMaxAddresses, 7), failure}},
          {2, channel::Failed{failure}},
          {3, channel::KeydAnswer{"no"}}};
}

SocketAddress nowhere() { return *SocketAddress::parse("127.0.0.1", 1); }

}  // namespace

TEST_CASE("channel: every message arrives as it was sent") {
  for (const auto& sent : questions()) {
    CAPTURE(sent.body.index());
    const auto bytes = channel::encode(sent);
    const auto got = channel::decode_question(bytes);
    REQUIRE(got);
    CHECK(got->id == sent.id);
    CHECK(got->body.index() == sent.body.index());
    CHECK(channel::encode(*got) == bytes);
  }
  for (const auto& sent : answers()) {
    CAPTURE(sent.body.index());
    const auto bytes = channel::encode(sent);
    REQUIRE_FALSE(bytes.empty());
    const auto got = channel::decode_answer(bytes);
    REQUIRE(got);
    CHECK(got->id == sent.id);
    CHECK(channel::encode(*got) == bytes);
  }
  const auto failed = std::get<channel::Failed>(channel::decode_answer(channel::encode(answers()[2]))->body).failure;
  CHECK(failed.texts.size() == DialFailure::kMostTexts);
  CHECK(failed.texts[0].size() == DialFailure::kMostText);
  CHECK(failed.omitted == 5);
  CHECK(failed.causes.silent);
  CHECK_FALSE(failed.busy());
}

TEST_CASE("channel: a message that is cut, or has a byte too many, or an unknown value, is refused") {
  for (const auto& question : questions()) {
    auto bytes = channel::encode(question);
    for (size_t size = 0; size < bytes.size(); size++)
      CHECK_FALSE(channel::decode_question(std::span(bytes).first(size)));
    bytes.push_back(0);
    CHECK_FALSE(channel::decode_question(bytes));
  }
  for (const auto& answer : answers()) {
    auto bytes = channel::encode(answer);
    for (size_t size = 0; size < bytes.size(); size++)
      CHECK_FALSE(channel::decode_answer(std::span(bytes).first(size)));
    bytes.push_back(0);
    CHECK_FALSE(channel::decode_answer(bytes));
  }
  for (const size_t at : {size_t{0}, size_t{9}}) {  // the operation, the target
    auto bytes = channel::encode(channel::Question{1, channel::Dial{channel::Target::remote, 1}});
    bytes[at] = 9;
    CHECK_FALSE(channel::decode_question(bytes));
  }
}

TEST_CASE("channel: a worker gets a connected socket, and the connector keeps none") {
  Listening broker;
  Half half({broker.address});
  half.begin_both();
  const long before = open_descriptors();
  half.ask({1, channel::Dial{channel::Target::remote, 20'000}});
  common::Fd socket;
  const auto answer = half.wait_answer(socket);
  REQUIRE(socket);
  CHECK(open_descriptors() == before + 1);
  CHECK(fcntl(socket.get(), F_GETFD) == FD_CLOEXEC);
  CHECK((fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK(peer_of(socket) == broker.address);
  const auto& connected = std::get<channel::Connected>(answer.body);
  CHECK(connected.text == broker.address.text());
  CHECK_FALSE(connected.doubtful);
  CHECK(connected.left.empty());
}

TEST_CASE("channel: a target that is not configured, or has no address, fails") {
  Half half({});
  half.begin_both();
  for (const auto target : {channel::Target::remote, channel::Target::local}) {
    half.ask({1, channel::Dial{target, 20'000}});
    CHECK(std::get<channel::Failed>(half.wait_answer().body).failure.text() == "no address is known");
  }
}

TEST_CASE("channel: the numbers of a worker name the target's own addresses only") {
  Listening broker, other;
  Half half({broker.address});
  half.begin_both();
  half.ask({1, channel::Dial{channel::Target::remote, 20'000, {connector::AddressBook::number_of(other.address)}}});
  common::Fd socket;
  half.wait_answer(socket);
  CHECK(peer_of(socket) == broker.address);
  CHECK(other.waiting() == 0);
}

TEST_CASE("channel: what is not a question ends the worker's channel") {
  Half half({nowhere()});
  half.begin_both();
  half.turn();
  const auto dial = channel::encode(channel::Question{1, channel::Dial{channel::Target::remote, 20'000}});
  SECTION("rubbish") { half.say(std::vector<uint8_t>{1, 2, 3}); }
  SECTION("too long") { half.say(std::vector<uint8_t>(channel::kMaxMessage + 1, 1)); }
  SECTION("an answer") { half.say(channel::encode(channel::Answer{1, channel::KeydAnswer{"x"}})); }
  SECTION("one id twice") {
    BlackHole silent;
    half.channel->know({silent.address}, {});
    half.say(dial);
    half.say(dial);
    half.run_until([&] { return half.over.has_value(); });
  }
  half.run_until([&] { return half.over.has_value(); });
  CHECK_FALSE(half.over->empty());
  half.say(dial);
  half.turn();
  common::Fd none;
  CHECK_FALSE(half.answer(none));
}

TEST_CASE("channel: descriptors that a worker sends along are dropped") {
  Half half({});
  half.begin_both();
  half.turn();
  const long before = open_descriptors();
  half.say(channel::encode(channel::Question{1, channel::Cancel{}}), STDIN_FILENO);
  half.turn();
  CHECK(open_descriptors() == before);
  CHECK_FALSE(half.over);
}

TEST_CASE("channel: a worker's dials are bounded, and the one beyond is told that it is busy") {
  BlackHole silent;
  Half half({silent.address});
  half.begin_both(2);
  for (uint64_t id = 1; id <= 3; id++) half.ask({id, channel::Dial{channel::Target::remote, 20'000}});
  const auto answer = half.wait_answer();
  CHECK(answer.id == 3);
  CHECK(std::get<channel::Failed>(answer.body).failure.busy());
  half.ask({1, channel::Cancel{}});
  half.turn();
  half.ask({4, channel::Dial{channel::Target::remote, 20}});
  const auto late = half.wait_answer();
  CHECK(late.id == 4);
  CHECK(std::get<channel::Failed>(late.body).failure.causes.silent);
}

TEST_CASE("channel: a worker that does not read its answers is read no further, and loses none") {
  Half half({});
  half.begin_both();
  uint64_t sent = 0;
  for (;; sent++) {  // until the connector takes no more: both queues are full
    const auto bytes = channel::encode(channel::Question{sent + 1, channel::Dial{channel::Target::remote, 20'000}});
    if (!common::send_datagram(half.worker_end.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()})) {
      half.turn();
      half.turn();
      if (!common::send_datagram(half.worker_end.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}))
        break;
    }
    REQUIRE(sent < 100'000);
  }
  for (uint64_t id = 1; id <= sent; id++) REQUIRE(half.wait_answer().id == id);
}

TEST_CASE("channel: a connection to keyd comes with the worker's own HELLO, and not without bound") {
  const keyd_test::ScratchDir folder;
  const std::string path = folder / "keyd.sock";
  const auto address = common::UnixAddress::of(path);
  const common::Fd keyd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  REQUIRE(bind(keyd.get(), address->get(), address->kSize) == 0);
  Half half({});
  half.plan.keyd_socket = path;
  half.begin_both();
  half.ask({1, channel::Keyd{}});
  CHECK(std::get<channel::KeydAnswer>(half.wait_answer().body).problem == "Connection refused");

  REQUIRE(listen(keyd.get(), 64) == 0);
  for (size_t i = 0; i < WorkerChannel::kMostKeyd; i++) {
    half.ask({1, channel::Keyd{}});
    common::Fd connected;
    CHECK(std::get<channel::KeydAnswer>(half.wait_answer(connected).body).problem.empty());
    REQUIRE(connected);
    const common::Fd peer(accept4(keyd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ipc::RequestBuffer bytes;
    const ssize_t got = recv(peer.get(), bytes.data(), bytes.size(), 0);
    REQUIRE(got > 0);
    const auto request = ipc::decode_request(std::span(bytes).first(static_cast<size_t>(got)));
    REQUIRE(request);
    const auto& hello = std::get<ipc::Hello>(request->body);
    CHECK(hello.worker == kWorker);
    CHECK(hello.series == half.plan.series);
    CHECK(hello.timeout_ms == 1234);
  }
  half.ask({1, channel::Keyd{}});
  CHECK(std::get<channel::KeydAnswer>(half.wait_answer().body).problem == "this worker has asked for it too often");
}

// ---- both halves

TEST_CASE("dial: an unusable connection gives way to the next address, and its address is tried last afterwards") {
  Listening mute, other;
  Wired wired({mute.address, other.address});
  const auto dialed = [&](Result& result) {
    auto dial = std::make_unique<Dial>(*wired.client, channel::Target::remote, kLong, &result, Result::take);
    CHECK(result.calls == 0);
    wired.run_until([&] { return result.calls > 0; });
    return dial;
  };
  Result first;
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
  Result second;
  auto after = dialed(second);
  CHECK(peer_of(second.socket) == other.address);
  after->blame();  // both are doubtful now: the resolver's order counts
  Result third;
  auto again = dialed(third);
  CHECK(peer_of(third.socket) == mute.address);
  again->keep();
  Result fourth;
  const auto last = dialed(fourth);
  CHECK(peer_of(fourth.socket) == mute.address);
}

TEST_CASE("dial: the only address is tried again if there is another way to use it") {
  Listening mute;
  Wired wired({mute.address});
  Result result;
  Dial dial(*wired.client, channel::Target::remote, kLong, &result, Result::take);
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
  Result result;
  Dial dial(*wired.client, channel::Target::remote, early ? kLong : milliseconds(50), &result, Result::take);
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
  Result result;
  Dial dial(*wired.client, channel::Target::remote, kLong, &result, Result::take);
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
  Result result;
  const long before = open_descriptors();
  {
    const Dial dial(*wired.client, channel::Target::remote, kLong, &result, Result::take);
    wired.run_until([&] { return open_descriptors() == before + 1; });
  }
  wired.run_until([&] { return open_descriptors() == before; });
  CHECK(result.calls == 0);
}

TEST_CASE("dial: a worker that asks before its connector runs is served when it does") {
  Listening broker;
  Wired wired({broker.address}, 0);
  Result result;
  const Dial dial(*wired.client, channel::Target::remote, kLong, &result, Result::take);
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
  Result waiting, meanwhile;
  const Dial first(*wired.client, channel::Target::remote, kLong, &waiting, Result::take);
  wired.turn();
  wired.turn();
  wired.channel.reset();  // the connector dies in the middle of a dial, and then one more is asked for
  const Dial second(*wired.client, channel::Target::remote, kLong, &meanwhile, Result::take);
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
  Result result;
  const Dial dial(*wired.client, channel::Target::remote, milliseconds(1), &result, Result::take);
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
  Result result;
  Dial dial(client, channel::Target::remote, kLong, &result, Result::take);
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
  say(std::string(channel::kMaxMessage * 2, 'x'));
  wired.turn();
  // More dials than the channel has room for.
  constexpr size_t kDials = 2000;
  std::vector<Result> results(kDials);
  std::vector<std::unique_ptr<Dial>> dials;
  for (Result& result : results)
    dials.push_back(std::make_unique<Dial>(*wired.client, channel::Target::remote, kLong, &result, Result::take));
  wired.begin(kDials);
  wired.run_until([&] { return std::ranges::all_of(results, [](const Result& result) { return result.calls == 1; }); });
  CHECK_FALSE(wired.over);
}
