// A datagram and the descriptor that is attached to it arrive together, or fail at once.
#include "common/datagram.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>

#include "tests/unit/catch.h"

namespace {

struct Pair {
  common::Fd here, there;
  Pair() {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    here.reset(ends[0]);
    there.reset(ends[1]);
  }
};

}  // namespace

TEST_CASE("a descriptor arrives with its datagram, close-on-exec, and the sender keeps its own") {
  Pair pair;
  const common::Fd sent(open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(common::send_datagram(pair.here.get(), "words", sent.get()));
  std::array<char, 16> bytes{};
  common::Fd attached;
  REQUIRE(common::receive_datagram(pair.there.get(), bytes, attached) == 5);
  CHECK(std::string(bytes.data(), 5) == "words");
  REQUIRE(attached);
  CHECK(attached.get() != sent.get());
  CHECK(fcntl(attached.get(), F_GETFD) == FD_CLOEXEC);
  CHECK(fcntl(sent.get(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("after a datagram without a descriptor, the receiver has none left from an earlier one") {
  Pair pair;
  REQUIRE(common::send_datagram(pair.here.get(), "x"));
  common::Fd attached(open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::array<char, 4> bytes{};
  REQUIRE(common::receive_datagram(pair.there.get(), bytes, attached) == 1);
  CHECK_FALSE(attached);
}

TEST_CASE("neither direction of a datagram waits") {
  Pair pair;
  common::Fd attached;
  std::array<char, 4> bytes{};
  CHECK(common::receive_datagram(pair.there.get(), bytes, attached) == -1);
  CHECK(errno == EAGAIN);
  while (common::send_datagram(pair.here.get(), "x")) {
  }
  CHECK(errno == EAGAIN);
  CHECK_FALSE(common::peer_has_ended(EAGAIN));
  pair.there.reset();
  CHECK_FALSE(common::send_datagram(pair.here.get(), "x"));
  CHECK(common::peer_has_ended(errno));
}
