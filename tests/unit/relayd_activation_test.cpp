// relayd's listeners as a service manager passes them: which sockets are accepted.
#include "relayd/supervisor/activation.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "relayd/handover/socket_address.h"
#include "tests/unit/catch.h"

using namespace relayd;

namespace {

common::Fd new_socket(int family, int type, const char* address, bool listening) {
  common::Fd fd(::socket(family, type | SOCK_CLOEXEC, 0));
  if (address) {
    const auto where = SocketAddress::parse(address, 0);
    REQUIRE(bind(fd.get(), where->get(), where->size) == 0);
  }
  if (listening) REQUIRE(listen(fd.get(), 8) == 0);
  return fd;
}

std::string refusal(common::Fd fd) {
  std::vector<common::PassedSocket> passed;
  passed.push_back({std::move(fd), "mqtt"});
  try {
    activated_listeners(std::move(passed), {});
  } catch (const common::ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("passed TCP listeners of both families are taken over and do not block", "[activation]") {
  std::vector<common::PassedSocket> passed;
  for (const char* address : {"127.0.0.1", "::1"}) {
    const int family = std::string(address) == "::1" ? AF_INET6 : AF_INET;
    passed.push_back({new_socket(family, SOCK_STREAM, address, true), "mqtt"});
  }
  const auto sockets = activated_listeners(std::move(passed), {});
  REQUIRE(sockets.size() == 2);
  for (const common::Fd& socket : sockets) CHECK((fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK(activated_listeners({}, {}).empty());
}

TEST_CASE("a passed descriptor that is not a TCP listener is refused and the error says what it is", "[activation]") {
  const auto contains = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
    CHECK(text.find("\"mqtt\"") != std::string::npos);
    CHECK(text.find("ListenStream=") != std::string::npos);
  };
  contains(refusal(new_socket(AF_INET, SOCK_STREAM, "127.0.0.1", false)), "does not listen");
  contains(refusal(new_socket(AF_INET, SOCK_DGRAM, "127.0.0.1", false)), "not TCP");
  contains(refusal(new_socket(AF_UNIX, SOCK_STREAM, nullptr, false)), "AF_UNIX");
  contains(refusal(common::Fd(open("/dev/null", O_RDONLY | O_CLOEXEC))), "not a socket");
}
