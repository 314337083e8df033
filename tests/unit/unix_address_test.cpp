// The paths that a Unix socket can have.
#include "common/unix_address.h"

#include "tests/unit/catch.h"

using common::UnixAddress;

TEST_CASE("a socket's path is absolute and has at most 107 bytes") {
  const std::string longest = "/" + std::string(106, 'x');
  std::string problem;
  const auto address = UnixAddress::to_listen(longest, problem);
  REQUIRE(address);
  CHECK(reinterpret_cast<const sockaddr_un*>(address->get())->sun_path == longest);
  CHECK(problem.empty());
  CHECK_FALSE(UnixAddress::of(longest + "x"));
  CHECK_FALSE(UnixAddress::to_listen(longest + "x", problem));
  CHECK(problem == "too long for a socket's path: at most 107 bytes");
  for (const char* path : {"", "sign.sock"}) {
    CHECK_FALSE(UnixAddress::to_listen(path, problem));
    CHECK(problem == "a socket needs an absolute path");
  }
}
