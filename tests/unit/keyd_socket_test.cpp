// The socket file that workers connect to: its owner, when it is replaced, and when it is left alone.
#include "keyd/startup/socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "keyd_support.h"

using namespace keyd;
using namespace keyd_test;

namespace {

void check_refused(const ConfiguredPath& path, const std::vector<std::string>& parts) {
  std::string error;
  try {
    const ListeningSocket socket(path);
  } catch (const std::runtime_error& caught) {
    error = caught.what();
  }
  INFO(error);
  for (const auto& part : parts) CHECK(error.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("the socket is open to all users, so keyd sees the ones that it refuses", "[keyd][socket]") {
  const ScratchDir scratch;
  const std::string path = scratch / "s.sock";
  const ListeningSocket socket({path, "keyd.json: socket"});
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0666);
}

TEST_CASE("a dead keyd's socket is replaced, a living one's is not", "[keyd][socket]") {
  const ScratchDir scratch;
  const ConfiguredPath path{scratch / "s.sock", "keyd.json: socket"};
  {
    const common::Fd dead(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(dead.get(), 1) == 0);
    check_refused(path, {"another keyd answers"});
  }
  REQUIRE(std::filesystem::exists(path.path));
  const ListeningSocket socket(path);
  check_refused(path, {"keyd.json: socket", "another keyd answers"});
  CHECK(std::filesystem::exists(path.path));
}

TEST_CASE("a file at the socket's path is never removed", "[keyd][socket]") {
  const ScratchDir scratch;
  scratch.put("s.sock", "precious");
  check_refused({scratch / "s.sock", "socket"}, {"not a socket"});
  CHECK(slurp(scratch / "s.sock") == "precious");
  check_refused({scratch / "none/s.sock", "socket"}, {"create its directory"});
  check_refused({"relative", "socket"}, {"absolute"});
  check_refused({"/" + std::string(120, 'x'), "socket"}, {"too long"});
}

TEST_CASE("a socket that another program put in its place is left alone", "[keyd][socket]") {
  const ScratchDir scratch;
  {
    const ListeningSocket socket({scratch / "s.sock", "socket"});
    scratch.put("s.sock", "another");
  }
  CHECK(slurp(scratch / "s.sock") == "another");
}
