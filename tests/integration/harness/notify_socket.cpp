#include "tests/integration/harness/notify_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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
  reader_ = std::jthread([this] { read(); });
}

NotifySocket::~NotifySocket() {
  shutdown(fd_, SHUT_RD);  // wakes the reader
  reader_.join();
  close(fd_);
  std::error_code ignored;
  fs::remove(path_, ignored);
}

void NotifySocket::read() {
  char message[4096];
  for (ssize_t size; (size = recv(fd_, message, sizeof message, 0)) > 0;) {
    std::istringstream text(std::string(message, static_cast<size_t>(size)));
    const std::lock_guard lock(mutex_);
    for (std::string line; std::getline(text, line);) lines_.push_back(line);
    changed_.notify_all();
  }
}

std::string NotifySocket::wait_line(const std::string& beginning, Process& process, Deadline deadline) {
  constexpr std::chrono::milliseconds look_after_process(50);
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!lines_.empty()) {
      const std::string line = std::move(lines_.front());
      lines_.pop_front();
      if (line.starts_with(beginning)) return line;
    }
    const bool ended = !process.running();
    if (ended || deadline.over())
      throw Failure(process.name() + (ended ? " ended" : " said nothing") + " before " + beginning +
                    "; its standard error:\n" + process.err().text());
    changed_.wait_for(lock, look_after_process);
  }
}

}  // namespace harness
