#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/captured/attacker.h"

namespace captured {

// Each attack is tried on each listening socket; the outcome is "done" if one succeeds, otherwise the last error.
Attacks listener_attacks(int first, int count) {
  const auto each = [first, count](const std::function<long(int)>& harm) {
    return [first, count, harm](const Words&) {
      std::string result = "no listener";
      for (int fd = first; fd < first + count && result != "done"; fd++) result = outcome(harm(fd));
      return result;
    };
  };
  const auto option = [&](int level, int name, int value) {
    return each([=](int fd) { return setsockopt(fd, level, name, &value, sizeof value); });
  };
  const auto program = [&](int name) {
    return each([name](int fd) {
      sock_filter to_first[] = {{BPF_RET | BPF_K, 0, 0, 0}};
      const sock_fprog steer{1, to_first};
      return setsockopt(fd, SOL_SOCKET, name, &steer, sizeof steer);
    });
  };
  return {
      {"listener:shutdown-read", each([](int fd) { return shutdown(fd, SHUT_RD); })},
      {"listener:shutdown-write", each([](int fd) { return shutdown(fd, SHUT_WR); })},
      {"listener:shutdown", each([](int fd) { return shutdown(fd, SHUT_RDWR); })},
      {"listener:disconnect", each([](int fd) {
         const sockaddr nowhere{AF_UNSPEC, {}};
         return connect(fd, &nowhere, sizeof nowhere);
       })},
      {"listener:listen", each([](int fd) { return listen(fd, 0); })},
      {"listener:block", each([](int fd) { return fcntl(fd, F_SETFL, 0); })},
      {"listener:duplicate", each([](int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 200); })},
      {"listener:steer", program(SO_ATTACH_REUSEPORT_CBPF)},
      {"listener:steer-ebpf", option(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, first)},
      {"listener:filter", program(SO_ATTACH_FILTER)},
      {"listener:filter-ebpf", option(SOL_SOCKET, SO_ATTACH_BPF, first)},
      {"listener:lock-filter", option(SOL_SOCKET, SO_LOCK_FILTER, 1)},
      {"listener:linger", option(SOL_SOCKET, SO_LINGER, 0)},
      {"listener:timeout", option(SOL_SOCKET, SO_RCVTIMEO, 1)},
      {"listener:buffer", option(SOL_SOCKET, SO_RCVBUF, 1)},
      {"listener:device", option(SOL_SOCKET, SO_BINDTODEVICE, 1)},
      {"listener:reuseport", option(SOL_SOCKET, SO_REUSEPORT, 1)},
      {"listener:user-timeout", option(IPPROTO_TCP, TCP_USER_TIMEOUT, 1)},
      {"listener:defer", option(IPPROTO_TCP, TCP_DEFER_ACCEPT, 100)},
      {"listener:segment", option(IPPROTO_TCP, TCP_MAXSEG, 88)},
      {"listener:repair", option(IPPROTO_TCP, TCP_REPAIR, 1)},
      {"listener:fast-open", option(IPPROTO_TCP, TCP_FASTOPEN, 100)},
      {"listener:keep-alive", option(IPPROTO_TCP, TCP_KEEPIDLE, 1)},
      {"listener:close", each([](int fd) { return close(fd); })},
  };
}

}  // namespace captured
