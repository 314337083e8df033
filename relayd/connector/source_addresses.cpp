#include "relayd/connector/source_addresses.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "relayd/handover/tcp_options.h"

namespace relayd::connector {
namespace {

using Begun = SourceAddresses::Begun;

Begun failed(int error) { return {common::Fd(), error, strerror(error)}; }

// Without bind(2) reserving a port: connect(2) finds one that is free towards this destination (ip(7),
// IP_BIND_ADDRESS_NO_PORT). `from`: null: any.
Begun begin(const SocketAddress& to, const SocketAddress* from) {
  common::Fd socket(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) return failed(errno);
  set_tcp_options(socket.get());
  use_any_local_port(socket.get());
  if (from) {
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(socket.get(), from->get(), from->size) != 0) {
      Begun refused = failed(errno);
      refused.cause += ", so this machine can't connect from " + from->host() + " (remote.bind)";
      return refused;
    }
  }
  if (::connect(socket.get(), to.get(), to.size) != 0 && errno != EINPROGRESS) return failed(errno);
  return {std::move(socket), 0, ""};
}

}  // namespace

SourceAddresses::SourceAddresses(const std::vector<std::string>& addresses) {
  for (const std::string& text : addresses) {
    const auto address = SocketAddress::parse(text, 0);
    if (!address) throw std::invalid_argument(text + " is not an address");
    all_.push_back(*address);
  }
}

Begun SourceAddresses::connect(const SocketAddress& to) {
  if (all_.empty()) return begin(to, nullptr);
  Begun latest{common::Fd(), EAFNOSUPPORT, "remote.bind has no address of this family"};
  turn_++;
  for (size_t i = 0; i < all_.size(); i++) {
    const SocketAddress& from = all_[(turn_ + i) % all_.size()];
    if (from.family() != to.family()) continue;
    latest = begin(to, &from);
    if (latest.error != EADDRNOTAVAIL) return latest;
  }
  return latest;
}

}  // namespace relayd::connector
