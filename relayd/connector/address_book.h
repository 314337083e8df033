// The addresses of one broker, in the order in which one worker's dials try them.
//
// Families alternate (RFC 8305 section 4), so a broken family costs one attempt. An address that failed or lost the
// race is tried last for kDemotion; otherwise a dead first address would cost every device 250 ms. No address is ever
// left out. Each worker process has books of its own, so none can spoil another's order. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "relayd/handover/socket_address.h"

namespace relayd::connector {

class AddressBook {
 public:
  static constexpr uint64_t kDemotion = 30'000;  // milliseconds

  AddressBook() = default;
  explicit AddressBook(std::vector<SocketAddress> addresses) { replace(std::move(addresses)); }

  // Takes the resolver's latest result. An address that is still in it keeps its demotion.
  void replace(std::vector<SocketAddress> addresses);

  // The name of an address for a worker, the same in every connector of one build.
  static uint64_t number_of(const SocketAddress& address);

  // `now` is in milliseconds; every call must use the same clock.
  std::vector<SocketAddress> order(uint64_t now) const;
  // The addresses with these numbers, in their order; numbers that no address has are left out.
  std::vector<SocketAddress> named(std::span<const uint64_t> numbers) const;
  bool is_demoted(const SocketAddress& address, uint64_t now) const;
  void demote(const SocketAddress& address, uint64_t now);
  void promote(const SocketAddress& address);

 private:
  struct Entry {
    SocketAddress address;
    uint64_t demoted_until = 0;
  };
  std::vector<Entry> entries_;  // families interleaved
};

}  // namespace relayd::connector
