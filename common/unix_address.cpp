#include "common/unix_address.h"

namespace common {

std::optional<UnixAddress> UnixAddress::of(std::string_view path) {
  if (path.size() > kMostPath) return std::nullopt;
  UnixAddress made;
  made.address_.sun_family = AF_UNIX;
  path.copy(made.address_.sun_path, kMostPath);
  return made;
}

std::optional<UnixAddress> UnixAddress::to_listen(std::string_view path, std::string& problem) {
  if (!path.starts_with('/')) return problem = "a socket needs an absolute path", std::nullopt;
  const auto address = of(path);
  if (!address) problem = "too long for a socket's path: at most " + std::to_string(kMostPath) + " bytes";
  return address;
}

int socket_option(int fd, int which) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, which, &value, &size) == 0 ? value : -1;
}

}  // namespace common
