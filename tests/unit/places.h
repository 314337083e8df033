// Sockets on loopback: listening ones, refused ones, and black holes (a queue that is full).
#pragma once

#include <uv.h>

#include <chrono>
#include <deque>

#include "common/fd.h"
#include "relayd/handover/socket_address.h"
#include "tests/unit/catch.h"

namespace unit {

using relayd::SocketAddress;

constexpr std::chrono::milliseconds kLong{20'000};  // no test waits that long

// A socket on a loopback address and a port of its own.
struct Place {
  common::Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  SocketAddress address = *SocketAddress::parse("127.0.0.1", 0);

  Place() {
    REQUIRE(bind(socket.get(), address.get(), address.size) == 0);
    address = SocketAddress::bound_to(socket.get());
  }
};

struct Listening : Place {
  Listening() { REQUIRE(listen(socket.get(), 16) == 0); }
  int waiting() {
    int count = 0;
    while (common::Fd(accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC))) count++;
    return count;
  }
};

using Refusing = Place;  // bound, not listening

// A listener whose queue is full: the kernel drops every further SYN.
struct BlackHole : Place {
  std::deque<common::Fd> fill;
  BlackHole() {
    REQUIRE(listen(socket.get(), 0) == 0);
    for (int i = 0; i < 4; i++) {
      auto& client = fill.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      connect(client.get(), address.get(), address.size);
    }
  }
};

struct Loop {
  uv_loop_t loop{};
  Loop() { uv_loop_init(&loop); }
  ~Loop() {
    uv_run(&loop, UV_RUN_DEFAULT);
    REQUIRE(uv_loop_close(&loop) == 0);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
};

inline SocketAddress peer_of(const common::Fd& socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  REQUIRE(getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size) == 0);
  return address;
}

}  // namespace unit
