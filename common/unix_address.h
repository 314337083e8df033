// The address of a Unix socket that has a path (unix(7)), and what a socket is.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string>
#include <string_view>

namespace common {

class UnixAddress {
 public:
  static constexpr socklen_t kSize = sizeof(sockaddr_un);
  static constexpr size_t kMostPath = sizeof(sockaddr_un::sun_path) - 1;  // bytes: 107

  // nullopt: the path is longer than kMostPath.
  static std::optional<UnixAddress> of(std::string_view path);
  // For a configured path to listen on, which must be absolute. nullopt: `problem` says why.
  static std::optional<UnixAddress> to_listen(std::string_view path, std::string& problem);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }

 private:
  sockaddr_un address_{};
};

// An option of SOL_SOCKET (socket(7)); -1 if the descriptor is not a socket.
int socket_option(int fd, int which);

}  // namespace common
