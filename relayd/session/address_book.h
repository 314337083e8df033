// The addresses of one broker, in the order in which this worker tries them.
//
// Families take turns (RFC 8305 section 4), so that a family that is broken costs one attempt. An address that failed
// or was overtaken is tried last for a while: else a dead first address would cost each device of a crowd a quarter of
// a second. No address is ever left out.
//
// What is behind the addresses, or on the way to them, is one broker: a large ClientHello that got no answer where a
// small one did is a large one's fault with all of them. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "relayd/handover/socket_address.h"

namespace relayd {

class AddressBook {
 public:
  static constexpr uint64_t kDemotion = 30'000, kSmallHello = 3'600'000;  // milliseconds

  AddressBook() = default;
  explicit AddressBook(std::vector<SocketAddress> addresses) { replace(std::move(addresses)); }

  // What the resolver knows now. An address that stays keeps its demotion, whatever the new order is.
  void replace(std::vector<SocketAddress> addresses);

  // `now` in milliseconds of any clock, always the same.
  std::vector<SocketAddress> order(uint64_t now) const;
  void demote(const SocketAddress& address, uint64_t now);
  void promote(const SocketAddress& address);

  // Small ClientHellos (tls::Hello) for a while.
  void want_small_hello(uint64_t now) { small_hello_until_ = now + kSmallHello; }
  bool wants_small_hello(uint64_t now) const { return small_hello_until_ > now; }

 private:
  struct Entry {
    SocketAddress address;
    uint64_t demoted_until = 0;
  };
  std::vector<Entry> entries_;  // families interleaved
  uint64_t small_hello_until_ = 0;
};

}  // namespace relayd
