#include "tests/integration/harness/capturing_remote.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace harness {
namespace {

// Port 0 asks for a free port, which is stored in `where`.
int listen_on(Endpoint& where) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(where.port);
  inet_pton(AF_INET, where.host.c_str(), &address.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (bind(fd, raw, size) != 0 || listen(fd, 256) != 0 || getsockname(fd, raw, &size) != 0)
    fail_errno("listen on " + where.text());
  where.port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

CapturingRemote::CapturingRemote(const Endpoint& listen, const Identity& server, const fs::path& trusted,
                                 TlsVersion version)
    : listen_(listen), context_(TlsContext::server(server, trusted, version)), fd_(listen_on(listen_)) {}

CapturingRemote::~CapturingRemote() { close(fd_); }

bool CapturingRemote::anybody_there(std::chrono::milliseconds wait) {
  pollfd p{fd_, POLLIN, 0};
  return poll(&p, 1, static_cast<int>(wait.count())) == 1;
}

int CapturingRemote::accept_socket(Deadline deadline) {
  if (!anybody_there(std::chrono::milliseconds(deadline.poll_timeout())))
    throw Failure("no client connected to the remote " + listen_.text());
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) fail_errno("accept");
  return fd;
}

TlsStream CapturingRemote::accept_silently(Deadline deadline) {
  return TlsStream::accept(accept_socket(deadline), context_);
}

TlsStream CapturingRemote::accept(Deadline deadline) {
  auto stream = accept_silently(deadline);
  stream.handshake(deadline);
  return stream;
}

TakenPort::TakenPort(const Endpoint& where) {
  auto copy = where;
  fd_ = listen_on(copy);
}

TakenPort::~TakenPort() { close(fd_); }

}  // namespace harness
