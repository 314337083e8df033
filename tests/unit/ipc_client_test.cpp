// The asynchronous client of keyd against a keyd played by the test, over a real socket and a real loop.
#include "ipc/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <deque>

#include "tests/unit/catch.h"

namespace {

using ipc::Client;

// Plays keyd: a listening socket in a scratch directory, and blocking calls.
class PlayedKeyd {
 public:
  PlayedKeyd() {
    char folder[] = "/tmp/ipc-client-XXXXXX";
    folder_ = mkdtemp(folder);
    path = folder_ + "/sock";
  }
  ~PlayedKeyd() {
    unlink(path.c_str());
    rmdir(folder_.c_str());
  }

  void listen() {
    unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.data(), path.size());
    listener_.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
  }
  int listener() const { return listener_.get(); }
  bool accept() {
    peer_.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return static_cast<bool>(peer_);
  }
  void greet() {  // the client connects in its constructor, or when the loop turns
    const auto request = receive();
    REQUIRE(request.op() == ipc::Op::hello);
    answer({request.id, ipc::Status::ok, 0, ipc::encode_welcome({})});
  }
  ipc::Request receive() {
    const ssize_t got = recv(peer_.get(), buffer_.data(), buffer_.size(), 0);
    REQUIRE(got > 0);
    const auto request = ipc::decode_request({buffer_.data(), static_cast<size_t>(got)});
    REQUIRE(request);
    return *request;
  }
  void answer(const ipc::Response& response) {
    ipc::ResponseBuffer out;
    const size_t size = ipc::encode(response, out);
    REQUIRE(send(peer_.get(), out.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size));
  }
  void say(std::string_view bytes) { send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void die() {
    peer_.reset();
    listener_.reset();
  }

  std::string path;

 private:
  std::string folder_;
  common::Fd listener_, peer_;
  ipc::RequestBuffer buffer_;
};

struct Loop {
  Loop() { uv_loop_init(&loop); }
  ~Loop() {
    uv_run(&loop, UV_RUN_DEFAULT);
    REQUIRE(uv_loop_close(&loop) == 0);
  }
  // Turns the loop until `done`; the loop's own timers wake it up.
  template <typename Done>
  void until(Done done) {
    while (!done()) uv_run(&loop, UV_RUN_ONCE);
  }
  uv_loop_t loop;
};

Client::Options options(const PlayedKeyd& keyd, int timeout_ms = 20'000, size_t max_pending = 16) {
  return {keyd.path, 3, std::chrono::milliseconds(timeout_ms), max_pending};
}

// A client that keyd has greeted.
struct ListeningKeyd : PlayedKeyd {
  ListeningKeyd() { listen(); }
};
struct Connected {
  Connected() {
    REQUIRE(keyd.accept());
    keyd.greet();
    loop.until([&] { return client.connected(); });
  }
  void keyd_restarts() {
    keyd.die();
    loop.until([&] { return !client.connected(); });
    keyd.listen();
    // On a busy machine the client may be due to connect before the loop waits. A connection must end that wait.
    common::Poll connection(&loop.loop, keyd.listener(), this, common::call<&Connected::woken>);
    connection.watch(UV_READABLE);
    loop.until([&] { return keyd.accept(); });
    keyd.greet();
    loop.until([&] { return client.connected(); });
  }
  void woken(int) {}
  ListeningKeyd keyd;
  Loop loop;
  Client client{&loop.loop, options(keyd)};
};

ipc::Lookup lookup_of(std::string_view client_id) { return {ipc::Role::device, {}, {}, client_id}; }

}  // namespace

TEST_CASE("keyd's client delivers answers to their requests in any order") {
  Connected connected;
  auto& [keyd, loop, client] = connected;
  std::string answers;
  REQUIRE(client.lookup(lookup_of("a"), [&](const Client::Answer& a) { answers += a.arrived ? "a" : "-"; }));
  REQUIRE(client.lookup(lookup_of("b"),
                        [&](const Client::Answer& a) { answers += a.status == ipc::Status::not_found ? "b" : "-"; }));
  CHECK(answers.empty());  // never before the call returns
  const auto first = keyd.receive(), second = keyd.receive();
  keyd.answer({second.id, ipc::Status::not_found, 0, {}});
  keyd.answer({first.id, ipc::Status::ok, 0, {}});
  loop.until([&] { return answers.size() == 2; });
  CHECK(answers == "ba");
}

TEST_CASE("keyd's client repeats its requests once keyd is back") {
  Connected connected;
  auto& [keyd, loop, client] = connected;
  bool arrived = false;
  REQUIRE(client.lookup(lookup_of("dev"), [&](const Client::Answer& a) { arrived = a.arrived; }));
  const auto lost = keyd.receive();
  connected.keyd_restarts();
  const auto again = keyd.receive();
  CHECK(again.id == lost.id);
  CHECK(std::get<ipc::Lookup>(again.body).client_id == "dev");
  keyd.answer({again.id, ipc::Status::ok, 0, {}});
  loop.until([&] { return arrived; });
}

TEST_CASE("keyd's client gives up a request for which keyd ends each connection, and goes on") {
  Connected connected;
  auto& [keyd, loop, client] = connected;
  bool given_up = false, arrived = false;
  REQUIRE(client.lookup(lookup_of("poison"), [&](const Client::Answer& a) { given_up = !a.arrived; }));
  for (int time = 0; time < Client::kMostSends; time++) {
    CAPTURE(time);
    CHECK_FALSE(given_up);
    CHECK(std::get<ipc::Lookup>(keyd.receive().body).client_id == "poison");
    connected.keyd_restarts();
  }
  CHECK(given_up);
  REQUIRE(client.lookup(lookup_of("dev"), [&](const Client::Answer& a) { arrived = a.arrived; }));
  const auto next = keyd.receive();
  CHECK(std::get<ipc::Lookup>(next.body).client_id == "dev");
  keyd.answer({next.id, ipc::Status::ok, 0, {}});
  loop.until([&] { return arrived; });
}

TEST_CASE("keyd's client ends every request in time when keyd is silent") {
  PlayedKeyd keyd;
  keyd.listen();  // the backlog accepts the connection, and HELLO is never answered
  Loop loop;
  Client client(&loop.loop, options(keyd, 30));
  int unanswered = 0;
  for (int i = 0; i < 3; i++)
    REQUIRE(client.lookup(lookup_of("dev"), [&](const Client::Answer& a) { unanswered += a.arrived ? 0 : 1; }));
  loop.until([&] { return unanswered == 3; });
}

TEST_CASE("keyd's client refuses more than max_pending requests") {
  PlayedKeyd keyd;
  Loop loop;
  Client client(&loop.loop, options(keyd, 20'000, 2));
  const auto nothing = [](const Client::Answer&) {};
  CHECK(client.lookup(lookup_of("a"), nothing));
  const auto second = client.lookup(lookup_of("b"), nothing);
  REQUIRE(second);
  CHECK_FALSE(client.lookup(lookup_of("c"), nothing));
  client.cancel(*second);
  CHECK(client.lookup(lookup_of("c"), nothing));
}

TEST_CASE("keyd's client refuses a field longer than the protocol allows") {
  PlayedKeyd keyd;
  Loop loop;
  Client client(&loop.loop, options(keyd));
  CHECK_FALSE(client.lookup(lookup_of(std::string(ipc::kMaxClientId + 1, 'x')), [](const Client::Answer&) {}));
}

TEST_CASE("keyd's client forgets a cancelled request") {
  Connected connected;
  auto& [keyd, loop, client] = connected;
  bool called = false, other = false;
  const auto ticket = client.lookup(lookup_of("a"), [&](const Client::Answer&) { called = true; });
  REQUIRE(client.lookup(lookup_of("b"), [&](const Client::Answer&) { other = true; }));
  const auto first = keyd.receive(), second = keyd.receive();
  client.cancel(*ticket);
  keyd.answer({first.id, ipc::Status::ok, 0, {}});
  keyd.answer({second.id, ipc::Status::ok, 0, {}});
  loop.until([&] { return other; });
  CHECK_FALSE(called);
}

TEST_CASE("keyd's client disconnects from a keyd that speaks another protocol") {
  Connected connected;
  auto& [keyd, loop, client] = connected;
  keyd.say("HTTP/1.1 400 Bad Request\r\n\r\n");
  loop.until([&] { return !client.connected(); });
}
