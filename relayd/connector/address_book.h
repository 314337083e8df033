// The ways to a target's brokers, in the order in which one worker's dials try them.
//
// Of one broker, families alternate (RFC 8305 section 4), so a broken family costs one attempt. An address that failed
// or lost the race is tried last for kDemotion; otherwise a dead first address would cost every device 250 ms. After
// that, a single dial tries it in its old place, and the others only once that one has proved it good: a broker that is
// still ill costs one device its time, not all. No broker is ever left out. Each worker process has books of its own,
// so none can spoil another's order. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "relayd/connector/broker_order.h"
#include "relayd/handover/socket_address.h"

namespace relayd::connector {

// One way to a broker.
struct Route {
  SocketAddress address;
  uint8_t broker = 0;  // its place in the plan's list
  bool operator==(const Route&) const = default;
};

class AddressBook {
 public:
  static constexpr uint64_t kDemotion = 30'000;  // milliseconds

  AddressBook() : AddressBook(1, {}) {}
  AddressBook(size_t brokers, BrokerOrder order) : brokers_(brokers), order_(std::move(order)) {}
  // Of a single broker.
  explicit AddressBook(std::vector<SocketAddress> addresses) : AddressBook() { replace(0, std::move(addresses)); }

  // Takes the resolver's latest result for one broker, and of it at most that broker's share of
  // channel::kMaxAddresses. An address that is still in it keeps its demotion.
  void replace(size_t broker, std::vector<SocketAddress> addresses);

  // The name of a route for a worker, the same in every connector of one build.
  static uint64_t number_of(const Route& route);

  // The routes of one more dial. `now` is in milliseconds; every call must use the same clock. If there are several
  // brokers, the first ipc::kMaxTries routes are not all of one.
  std::vector<Route> order(uint64_t now, uint64_t device = 0);
  // The routes with these numbers, in their order; numbers that no route has are left out.
  std::vector<Route> named(std::span<const uint64_t> numbers) const;
  // It has failed and was not promoted since.
  bool is_doubtful(const Route& route);
  void demote(const Route& route, uint64_t now);
  void promote(const Route& route);

 private:
  struct Entry {
    Route route;
    bool doubtful = false;
    uint64_t demoted_until = 0;
    bool is_demoted(uint64_t now) const { return doubtful && demoted_until > now; }
  };
  Entry* find(const Route& route);

  std::vector<std::vector<Entry>> brokers_;  // families interleaved
  BrokerOrder order_;
};

}  // namespace relayd::connector
