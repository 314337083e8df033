// How many connections one source address may make (max_conn_rate_per_address), before TLS costs anything.
//
// Each address has a burst of one period's count, and after it one connection each time a count'th of the period has
// passed. What is refused does not count, so an address gets its rate however fast it knocks. An IPv6 address is one
// /64: whoever has one address of it has them all (RFC 4291 section 2.5.4).
//
// The table has a fixed number of entries, 1 MiB, and never grows. An address whose burst is whole again needs no
// entry. A new address takes the place of such a one, otherwise of the one that is nearest to it: so a scan from many
// addresses, each of which connects a few times, evicts other light ones and not the heavy one that the limit is for.
// Where an address belongs is a keyed hash (SipHash-2-4): nobody can choose addresses that evict a certain other one.
// One thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/units.h"
#include "relayd/handover/siphash.h"
#include "relayd/handover/socket_address.h"

namespace relayd {

class AddressRates {
 public:
  static constexpr size_t kWays = 8, kSets = 8192;  // 65,536 addresses

  // `rate.count` 0: no limit, and no memory. `key`: random.
  AddressRates(const common::Rate& rate, const SipKey& key);

  // Whether a new connection from this address, whatever its port, may go on. `now`: milliseconds of any clock that
  // does not go back.
  bool admit(const SocketAddress& address, uint64_t now);

 private:
  struct Entry {
    uint64_t address = 0;   // its hash; 0: none
    uint64_t whole_at = 0;  // nanoseconds: when its burst is whole again
  };
  using Set = std::array<Entry, kWays>;

  uint64_t hash(const SocketAddress& address) const;

  uint64_t step_ns_ = 0, burst_ns_ = 0;  // of one connection, of count connections
  SipKey key_;
  std::vector<Set> sets_;  // empty: no limit
};

}  // namespace relayd
