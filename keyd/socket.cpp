#include "keyd/socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace keyd {
namespace {

common::Fd new_socket() { return common::Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

// What stands at the path, if it must not be replaced.
std::string occupied(const sockaddr_un& address) {
  struct stat info {};
  if (lstat(address.sun_path, &info) != 0) return errno == ENOENT ? "" : strerror(errno);
  if (!S_ISSOCK(info.st_mode)) return "there is a file that is not a socket; remove it or choose another path";
  const common::Fd probe = new_socket();
  if (connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN)  // EAGAIN: alive, backlog full
    return "another keyd answers on it; stop that one, or choose another path";
  return errno == ECONNREFUSED || errno == ENOENT ? "" : strerror(errno);
}

}  // namespace

ListeningSocket::ListeningSocket(const ConfiguredPath& path) : fd_(new_socket()) {
  const auto fail = [&](const std::string& cause) {
    throw std::runtime_error(path.origin + ": found \"" + path.path + "\": " + cause);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.path[0] != '/') fail("a socket needs an absolute path");
  if (path.path.size() >= sizeof address.sun_path)
    fail("too long for a socket's path: at most " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  memcpy(address.sun_path, path.path.data(), path.path.size());

  if (const std::string problem = occupied(address); !problem.empty()) fail(problem);
  unlink(path.path.c_str());
  // Anybody may connect, so that the one who may not is seen: the peer's uid (SO_PEERCRED) decides at accept, and a
  // refusal is audited. A mode can't name a list of users, and a closed door leaves no trace.
  umask(0111);
  const int bound = bind(fd_.get(), generic(address), sizeof address);
  const int error = errno;
  umask(0077);
  if (bound != 0)
    fail(std::string(strerror(error)) +
         (error == ENOENT   ? "; create its directory (RuntimeDirectory= in the unit)"
          : error == EACCES ? "; its directory must be writable for keyd's user (RuntimeDirectory= in the unit)"
                            : ""));
  if (listen(fd_.get(), SOMAXCONN) != 0) fail(strerror(errno));
}

}  // namespace keyd
