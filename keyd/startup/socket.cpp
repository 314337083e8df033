#include "keyd/startup/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "common/not_yet.h"
#include "common/unix_address.h"

namespace keyd {
namespace {

common::Fd new_socket() { return common::Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

[[noreturn]] void fail(const ConfiguredPath& path, const std::string& cause) {
  throw common::ConfigError(path.origin + ": found \"" + path.path + "\": " + cause);
}

// Like fail(), for a problem that may go away by itself.
[[noreturn]] void fail_for_now(const ConfiguredPath& path, const std::string& cause) {
  throw common::NotYet(path.origin + ": found \"" + path.path + "\": " + cause);
}

common::UnixAddress address_of(const ConfiguredPath& path) {
  std::string problem;
  const auto address = common::UnixAddress::to_listen(path.path, problem);
  if (!address) fail(path, problem);
  return *address;
}

// What the descriptor is instead of a listening SOCK_SEQPACKET socket; empty if it is one.
std::string why_not_ours(int fd) {
  const int family = common::socket_option(fd, SO_DOMAIN), type = common::socket_option(fd, SO_TYPE);
  if (family < 0) return "it is not a socket";
  if (family != AF_UNIX) return "it is a network socket (family " + std::to_string(family) + ")";
  if (type != SOCK_SEQPACKET)
    return type == SOCK_STREAM  ? "it is a stream socket (ListenStream=)"
           : type == SOCK_DGRAM ? "it is a datagram socket (ListenDatagram=)"
                                : "it is a socket of type " + std::to_string(type);
  return common::socket_option(fd, SO_ACCEPTCONN) == 1 ? "" : "it does not listen (Accept= must be no)";
}

// Where a socket listens; empty if it has no path.
std::string path_of(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  address.sun_path[sizeof address.sun_path - 1] = '\0';
  return address.sun_path;
}

common::Fd take_over(const ConfiguredPath& path, std::vector<common::PassedSocket> passed) {
  const auto refuse = [](const std::string& found) {
    throw common::ConfigError("socket activation: " + found +
                              "; expected one listening AF_UNIX SOCK_SEQPACKET socket: "
                              "ListenSequentialPacket= in the socket unit");
  };
  if (passed.size() > 1) refuse("found " + std::to_string(passed.size()) + " sockets");
  common::Fd fd = std::move(passed.front().fd);
  if (const std::string problem = why_not_ours(fd.get()); !problem.empty())
    refuse("found descriptor " + std::to_string(fd.get()) + " (\"" + passed.front().name + "\"): " + problem);
  if (const std::string bound = path_of(fd.get()); bound != path.path)
    common::log::warning(
        "socket_differs",
        "the service manager passed a socket with another path than the configured one; workers must use its path",
        {{"passed", bound}, {"configured", path.path}, {"setting", path.origin}});
  // Listens again, so that SO_PEERCRED shows workers this process instead of the service manager.
  if (fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0 || listen(fd.get(), SOMAXCONN) != 0) refuse(strerror(errno));
  return fd;
}

}  // namespace

std::optional<ucred> who_listens(const ConfiguredPath& path) {
  const common::UnixAddress address = address_of(path);
  struct stat info {};
  if (lstat(path.path.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    fail(path, strerror(errno));
  }
  if (!S_ISSOCK(info.st_mode)) fail(path, "there is a file that is not a socket; remove it or choose another path");
  const common::Fd probe = new_socket();
  ucred listener{};
  socklen_t size = sizeof listener;
  if (connect(probe.get(), address.get(), address.kSize) == 0) {
    if (getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) fail(path, strerror(errno));
    return listener;
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return std::nullopt;
  if (errno != EAGAIN) fail(path, strerror(errno));
  return ucred{0, info.st_uid, info.st_gid};  // alive, backlog full
}

ListeningSocket::ListeningSocket(const ConfiguredPath& path, std::vector<common::PassedSocket> passed) {
  if (passed.empty()) make(path);
  else fd_ = take_over(path, std::move(passed));
  umask(0077);
}

void ListeningSocket::make(const ConfiguredPath& path) {
  fd_ = new_socket();
  const common::UnixAddress address = address_of(path);
  if (!fd_) fail_for_now(path, strerror(errno));
  if (who_listens(path)) fail_for_now(path, "another keyd answers on it; stop that one, or choose another path");
  unlink(path.path.c_str());
  // Every user may connect; keyd decides by the peer's uid (SO_PEERCRED) when it accepts, and audits each refusal. A
  // file mode can't name a list of users, and its refusals leave no trace.
  umask(0111);
  const int bound = bind(fd_.get(), address.get(), address.kSize);
  const int error = errno;
  if (bound != 0 && error == ENOENT)
    fail_for_now(path, std::string(strerror(error)) + "; create its directory (RuntimeDirectory= in the unit)");
  if (bound != 0 && error == EACCES)
    fail_for_now(path, std::string(strerror(error)) +
                           "; its directory must be writable for keyd's user (RuntimeDirectory= in the unit)");
  if (bound != 0 && !common::passes(error)) fail(path, strerror(error));
  if (bound != 0 || listen(fd_.get(), SOMAXCONN) != 0) fail_for_now(path, strerror(bound != 0 ? error : errno));
}

}  // namespace keyd
