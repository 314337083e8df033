// Makes sockets that connect, from this machine's source addresses in turn if remote.bind names some.
//
// To one address and port there are as many connections from one source address as there are local ports, about 28,000
// by default (net.ipv4.ip_local_port_range, ip(7)). Each connection begins with the next source address of the
// destination's family, and takes the one after it if no local port is left there. One thread.
#pragma once

#include <string>
#include <vector>

#include "common/fd.h"
#include "relayd/handover/socket_address.h"

namespace relayd::connector {

class SourceAddresses {
 public:
  SourceAddresses() = default;  // the kernel chooses
  // Numeric addresses; throws std::invalid_argument for anything else.
  explicit SourceAddresses(const std::vector<std::string>& addresses);

  struct Begun {
    common::Fd socket;  // non-blocking, connected or about to be; empty: see the rest
    int error = 0;      // errno
    std::string cause;  // the error in words
  };
  Begun connect(const SocketAddress& to);

 private:
  std::vector<SocketAddress> all_;  // with port 0
  size_t turn_ = 0;
};

}  // namespace relayd::connector
