#include "tests/integration/harness/notify_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

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

std::string NotifySocket::wait_line(const std::string& beginning, Process& process, Deadline deadline) {
  for (;;) {
    while (!lines_.empty()) {
      const std::string line = std::move(lines_.front());
      lines_.pop_front();
      if (line.starts_with(beginning)) return line;
    }
    pollfd p[] = {{fd_, POLLIN, 0}, {process.pidfd(), POLLIN, 0}};
    const int n = poll(p, 2, deadline.poll_timeout());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || !p[0].revents)
      throw Failure(process.name() + (n > 0 ? " ended" : " said nothing") + " before " + beginning +
                    "; its standard error:\n" + process.err().text());
    char message[4096];
    const ssize_t size = recv(fd_, message, sizeof message, 0);
    std::istringstream text(std::string(message, static_cast<size_t>(std::max<ssize_t>(size, 0))));
    for (std::string line; std::getline(text, line);) lines_.push_back(line);
  }
}

}  // namespace harness
