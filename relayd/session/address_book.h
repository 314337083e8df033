// The addresses of one broker, in the order in which this worker tries them.
//
// Families alternate (RFC 8305 section 4), so a broken family costs one attempt. An address that failed or lost the
// race is tried last for kDemotion; otherwise a dead first address would cost every device 250 ms. No address is ever
// left out.
//
// All addresses are assumed to lead to one broker over one path: if a large ClientHello went unanswered where a small
// one was answered, all addresses get small ones. One thread.
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

  // Takes the resolver's latest result. An address that is still in it keeps its demotion.
  void replace(std::vector<SocketAddress> addresses);

  // `now` is in milliseconds; every call must use the same clock.
  std::vector<SocketAddress> order(uint64_t now) const;
  void demote(const SocketAddress& address, uint64_t now);
  void promote(const SocketAddress& address);

  // Asks for small ClientHellos (tls::Hello) for kSmallHello.
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
