// The addresses behind one name, looked up again and again: workers can't, they open no file.
//
// A failed look-up keeps the addresses that were found before, and is tried again sooner. Loop thread only; the look-up
// itself runs in libuv's thread pool (getaddrinfo(3) blocks).
#pragma once

#include <netdb.h>
#include <uv.h>

#include <string>
#include <vector>

#include "common/uv.h"
#include "relayd/handover/config.h"
#include "relayd/handover/socket_address.h"

namespace relayd {

// How names are looked up, and what of the answer is used: for getaddrinfo(3) and uv_getaddrinfo.
addrinfo resolver_hints();
std::vector<SocketAddress> usable_addresses(const addrinfo* found);

class Resolver {
 public:
  // `changed` comes after the first look-up whatever its result, then whenever the addresses are others.
  using Changed = void (*)(void* owner);
  // `known`: addresses that are used until the first look-up has an answer; with them, tried() is true at once.
  Resolver(uv_loop_t* loop, Config::Endpoint endpoint, common::Milliseconds interval, std::vector<SocketAddress> known,
           void* owner, Changed changed);
  ~Resolver();

  const Config::Endpoint& endpoint() const { return endpoint_; }
  const std::vector<SocketAddress>& addresses() const { return addresses_; }
  bool tried() const { return tried_; }

 private:
  struct Lookup;  // outlives the resolver if that goes while it runs
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

}  // namespace relayd
