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

[[noreturn]] void fail(const ConfiguredPath& path, const std::string& cause) {
  throw std::runtime_error(path.origin + ": found \"" + path.path + "\": " + cause);
}

sockaddr_un address_of(const ConfiguredPath& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.path[0] != '/') fail(path, "a socket needs an absolute path");
  if (path.path.size() >= sizeof address.sun_path)
    fail(path, "too long for a socket's path: at most " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  memcpy(address.sun_path, path.path.data(), path.path.size());
  return address;
}

}  // namespace

std::optional<ucred> who_listens(const ConfiguredPath& path) {
  const sockaddr_un address = address_of(path);
  struct stat info {};
  if (lstat(address.sun_path, &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    fail(path, strerror(errno));
  }
  if (!S_ISSOCK(info.st_mode)) fail(path, "there is a file that is not a socket; remove it or choose another path");
  const common::Fd probe = new_socket();
  ucred listener{};
  socklen_t size = sizeof listener;
  if (connect(probe.get(), generic(address), sizeof address) == 0) {
    if (getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) fail(path, strerror(errno));
    return listener;
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return std::nullopt;
  if (errno != EAGAIN) fail(path, strerror(errno));
  return ucred{0, info.st_uid, info.st_gid};  // alive, backlog full
}

ListeningSocket::ListeningSocket(const ConfiguredPath& path) : fd_(new_socket()) {
  const sockaddr_un address = address_of(path);
  if (who_listens(path)) fail(path, "another keyd answers on it; stop that one, or choose another path");
  unlink(path.path.c_str());
  // Anybody may connect, so that the one who may not is seen: the peer's uid (SO_PEERCRED) decides at accept, and a
  // refusal is audited. A mode can't name a list of users, and a closed door leaves no trace.
  umask(0111);
  const int bound = bind(fd_.get(), generic(address), sizeof address);
  const int error = errno;
  umask(0077);
  if (bound != 0)
    fail(path,
         std::string(strerror(error)) +
             (error == ENOENT   ? "; create its directory (RuntimeDirectory= in the unit)"
              : error == EACCES ? "; its directory must be writable for keyd's user (RuntimeDirectory= in the unit)"
                                : ""));
  if (listen(fd_.get(), SOMAXCONN) != 0) fail(path, strerror(errno));
}

}  // namespace keyd
