// The connector's half of a worker's channel: what it hands over, and a hostile worker.
#include <sys/un.h>
#include <unistd.h>

#include "common/unix_address.h"
#include "ipc/codec.h"
#include "tests/unit/channel_support.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/scratch_dir.h"

using namespace unit;

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
  half.ask({1, channel::Dial{
                   channel::Target::remote, 20'000, 0, {relayd::connector::AddressBook::number_of({other.address})}}});
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
  SECTION("too long") { half.say(std::vector<uint8_t>(channel::kMaxQuestion + 1, 1)); }
  SECTION("an answer") { half.say(channel::encode(channel::Answer{1, channel::KeydAnswer{"x"}})); }
  SECTION("a certificate of a name that is no client id") {
    auto bytes = channel::encode(channel::Question{1, channel::Certificate{"12/45"}});
    half.say(bytes);
  }
  SECTION("one id twice for certificates") {
    for (int i = 0; i < 3; i++) half.ask({1, channel::Certificate{"thermo"}});
    half.run_until([&] { return half.over.has_value(); });
  }
  SECTION("one id twice") {
    BlackHole silent;
    half.channel->know_remote(0, {silent.address});
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
  const ScratchDir folder;
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
  for (size_t i = 0; i < relayd::connector::WorkerChannel::kMostKeyd; i++) {
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
