#include "tests/integration/harness/notify_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace harness {

NotifySocket::NotifySocket(const fs::path& path) : path_(path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.string().size() >= sizeof address.sun_path) throw Failure("too long for a socket: " + path_.string());
  std::strcpy(address.sun_path, path_.c_str());
  fs::remove(path_);
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path_.c_str(), 0777) != 0)
    fail_errno("bind " + path_.string());
}

NotifySocket::~NotifySocket() {
  close(fd_);
  std::error_code ignored;
  fs::remove(path_, ignored);
}

void NotifySocket::wait_ready(Process& process, Deadline deadline) {
  for (;;) {
    pollfd p[] = {{fd_, POLLIN, 0}, {process.pidfd(), POLLIN, 0}};
    const int n = poll(p, 2, deadline.poll_timeout());
    if (n < 0 && errno == EINTR) continue;
    if (n > 0 && p[0].revents) {
      char message[4096];
      const ssize_t size = recv(fd_, message, sizeof message, 0);
      if (size > 0 &&
          ("\n" + std::string(message, static_cast<size_t>(size)) + "\n").find("\nREADY=1\n") != std::string::npos)
        return;
      continue;
    }
    throw Failure(process.name() + (n > 0 ? " ended" : " said nothing") + " before READY=1; its standard error:\n" +
                  process.err().text());
  }
}

}  // namespace harness
