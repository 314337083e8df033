// The addresses of one broker, in the order in which this worker tries them.
//
// Families take turns (RFC 8305 section 4), so that a family that is broken costs one attempt. An address that failed
// or was overtaken is tried last for a while: else a dead first address would cost each device of a crowd a quarter of
// a second. No address is ever left out. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "relayd/socket_address.h"

namespace relayd {

class AddressBook {
 public:
  static constexpr uint64_t kDemotion = 30'000;  // milliseconds

  AddressBook() = default;
  explicit AddressBook(std::vector<SocketAddress> addresses) { replace(std::move(addresses)); }

  // What the resolver knows now. An address that stays keeps its demotion, whatever the new order is.
  void replace(std::vector<SocketAddress> addresses);

  // `now` in milliseconds of any clock, always the same.
  std::vector<SocketAddress> order(uint64_t now) const;
  void demote(const SocketAddress& address, uint64_t now);
  void promote(const SocketAddress& address);

 private:
  struct Entry {
    SocketAddress address;
    uint64_t demoted_until = 0;
  };
  std::vector<Entry> entries_;  // families interleaved
};

}  // namespace relayd
