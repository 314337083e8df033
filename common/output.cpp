#include "common/output.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>
#include <charconv>
#include <climits>

namespace common {

Output::Output(int fd) : fd_(fd), inherited_(fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || S_ISREG(info.st_mode)) return;
  if (S_ISSOCK(info.st_mode)) {
    way_ = Way::socket;
    return;
  }
  char path[32] = "/proc/self/fd/";
  std::to_chars(path + sizeof "/proc/self/fd/" - 1, path + sizeof path - 1, fd);
  own_.reset(::open(path, O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC | O_NOCTTY));
  if (own_) fd_ = own_.get();
  else if (S_ISFIFO(info.st_mode)) way_ = Way::no_wait;
}

ssize_t Output::write(const char* data, size_t size) {
  if (way_ == Way::socket) return ::send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (way_ == Way::no_wait) {
    const iovec part{const_cast<char*>(data), size};
    const ssize_t written = ::pwritev2(fd_, &part, 1, -1, RWF_NOWAIT);
    if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM)) return written;
    way_ = Way::nearly_empty;
  }
  if (way_ == Way::direct) return ::write(fd_, data, size);
  if (!nearly_empty()) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(fd_, data, size < PIPE_BUF ? size : PIPE_BUF);
}

// A pipe's room is counted in pages. Two adjacent pages hold more than one page of bytes, because otherwise the second
// page's first write would have gone into the first. A quarter of the bytes therefore occupies at most half of the
// pages, which leaves room when several processes check at the same time.
bool Output::nearly_empty() const {
  int unread = 0;
  const int room = fcntl(fd_, F_GETPIPE_SZ);
  return ioctl(fd_, FIONREAD, &unread) == 0 && unread <= (room >= 4 * PIPE_BUF ? room / 4 : 0);
}

void Output::settle() {
  if (own_ && dup2(own_.get(), inherited_) == inherited_) fd_ = inherited_, own_.reset();
}

}  // namespace common
