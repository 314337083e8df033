// Looks up the addresses of one name at a regular interval.
//
// A failed look-up keeps the addresses found before, and is retried sooner. Loop thread only; the look-up itself runs
// in libuv's thread pool, because getaddrinfo(3) blocks.
#pragma once

#include <netdb.h>
#include <uv.h>

#include <string>
#include <vector>

#include "common/uv.h"
#include "relayd/handover/config.h"
#include "relayd/handover/socket_address.h"

namespace relayd::connector {

// The hints for getaddrinfo(3) and uv_getaddrinfo.
addrinfo resolver_hints();
std::vector<SocketAddress> usable_addresses(const addrinfo* found);

class Resolver {
 public:
  // Called after the first look-up, whatever its result, then whenever the addresses change.
  using Changed = void (*)(void* owner);
  // `known`: addresses to use until the first look-up has an answer; if there are any, tried() is true at once.
  Resolver(uv_loop_t* loop, Config::Endpoint endpoint, common::Milliseconds interval, std::vector<SocketAddress> known,
           void* owner, Changed changed);
  ~Resolver();

  const Config::Endpoint& endpoint() const { return endpoint_; }
  const std::vector<SocketAddress>& addresses() const { return addresses_; }
  bool tried() const { return tried_; }

 private:
  struct Lookup;  // may outlive the resolver: a running look-up can't be stopped
  void look_up();
  void on_result(int status, const addrinfo* found);

  uv_loop_t* loop_;
  Config::Endpoint endpoint_;
  common::Milliseconds interval_;
  void* owner_;
  Changed changed_;
  common::Timer again_;
  Lookup* running_ = nullptr;
  std::vector<SocketAddress> addresses_;
  bool tried_ = false;
  bool reported_failure_ = false;
};

}  // namespace relayd::connector
