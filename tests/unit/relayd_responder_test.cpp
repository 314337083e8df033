// The small servers of the supervisor's loop: no peer holds up the loop or another peer.
#include "relayd/supervisor/responder.h"

#include <optional>
#include <vector>

#include "relayd/handover/socket_address.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/relayd_loop_support.h"

using namespace relayd;
using relayd_test::Client;
using relayd_test::Loop;

namespace {

struct Slow final : Responder::Owner {
  bool is_whole(std::string_view request) const override { return request.ends_with("\n"); }
  void on_request(uint64_t connection, std::string_view) override { asked.push_back(connection); }
  std::string too_long() const override { return "too long"; }
  std::vector<uint64_t> asked;
};

struct SlowServer {
  explicit SlowServer(const Responder::Limits& limits) {
    common::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    REQUIRE(bind(fd.get(), SocketAddress::parse("127.0.0.1", 0)->get(), sizeof(sockaddr_in)) == 0);
    REQUIRE(listen(fd.get(), 64) == 0);
    address = SocketAddress::bound_to(fd.get());
    responder.emplace(loop.get(), std::move(fd), limits, owner);
  }
  Client connect() const { return Client(address.get(), address.size); }
  Loop loop;
  Slow owner;
  SocketAddress address;
  std::optional<Responder> responder;
};

}  // namespace

TEST_CASE("a peer that sends no question, or half a question, or gets no answer, is closed at the deadline",
          "[responder]") {
  SlowServer server({.deadline = common::Milliseconds(50), .answer = common::Milliseconds(50)});
  const long before = open_descriptors();
  server.loop.serve([&] {
    Client silent = server.connect(), half = server.connect(), whole = server.connect();
    half.send("half a request");
    whole.send("a request\n");
    CHECK(silent.receive().empty());
    CHECK(half.receive().empty());
    CHECK(whole.receive().empty());
  });
  CHECK(server.owner.asked.size() == 1);
  CHECK(open_descriptors() == before);
  server.responder->answer(server.owner.asked[0], "too late");
}

TEST_CASE("connections over the limit wait for their turn", "[responder]") {
  SlowServer server({.connections = 2, .deadline = common::Milliseconds(50)});
  const long before = open_descriptors();
  server.loop.serve([&] {
    std::vector<Client> clients;
    for (int i = 0; i < 7; i++) clients.push_back(server.connect());
    for (Client& client : clients) CHECK(client.receive().empty());  // two at a time, at their deadlines
  });
  CHECK(open_descriptors() == before);
}
