#include "relayd/connector/address_book.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "ipc/protocol.h"
#include "relayd/handover/channel.h"

namespace relayd::connector {
namespace {

static_assert(channel::kMaxAddresses / Config::kMaxBrokers >= 2);  // both families of each broker

// Alternates the families, keeps the resolver's order within each, and starts with the family of its first address.
std::vector<SocketAddress> interleave(std::vector<SocketAddress> addresses) {
  std::vector<SocketAddress> result;
  while (!addresses.empty()) {
    const auto other = std::ranges::find_if(
        addresses, [&](const auto& a) { return !result.empty() && a.family() != result.back().family(); });
    const auto next = other == addresses.end() ? addresses.begin() : other;
    result.push_back(*next);
    addresses.erase(next);
  }
  return result;
}

// A session may try ipc::kMaxTries connections. If the first broker's addresses would take all of them, the last one
// goes to the next broker: all of the first one's may fail for the same cause.
void leave_a_try(std::vector<Route>& routes) {
  const auto other = std::ranges::find_if(routes, [&](const Route& r) { return r.broker != routes.front().broker; });
  const auto last = static_cast<std::ptrdiff_t>(ipc::kMaxTries - 1);
  if (other != routes.end() && other - routes.begin() > last) std::rotate(routes.begin() + last, other, other + 1);
}

}  // namespace

void AddressBook::replace(size_t broker, std::vector<SocketAddress> addresses) {
  auto& entries = brokers_[broker];
  const auto before = std::exchange(entries, {});
  for (const auto& address : interleave(std::move(addresses))) {
    if (entries.size() == channel::kMaxAddresses / brokers_.size()) break;
    const Route route{address, static_cast<uint8_t>(broker)};
    const auto known = std::ranges::find(before, route, &Entry::route);
    entries.push_back(known == before.end() ? Entry{route} : *known);
  }
}

std::vector<Route> AddressBook::order(uint64_t now, uint64_t device) {
  std::vector<uint8_t> well, ill;
  for (size_t i = 0; i < brokers_.size(); i++) {
    const auto broker = static_cast<uint8_t>(i);
    const auto good = [&](const Entry& entry) { return !entry.is_demoted(now); };
    (std::ranges::any_of(brokers_[broker], good) ? well : ill).push_back(broker);
  }
  const auto brokers = order_.next(std::move(well), std::move(ill), device);
  std::vector<Route> routes;
  for (const bool demoted : {false, true})
    for (const uint8_t broker : brokers)
      for (const Entry& entry : brokers_[broker])
        if (entry.is_demoted(now) == demoted) routes.push_back(entry.route);
  if (routes.empty()) return routes;
  leave_a_try(routes);
  Entry& first = *find(routes.front());
  if (first.doubtful && !first.is_demoted(now))
    first.demoted_until = now + kDemotion;  // this dial finds out for the others
  return routes;
}

uint64_t AddressBook::number_of(const Route& route) {
  std::string bytes(reinterpret_cast<const char*>(&route.address.storage), route.address.size);
  return std::hash<std::string>()(bytes += static_cast<char>(route.broker));
}

std::vector<Route> AddressBook::named(std::span<const uint64_t> numbers) const {
  std::vector<Route> result;
  for (const uint64_t number : numbers)
    for (const auto& entries : brokers_)
      for (const Entry& entry : entries)
        if (number_of(entry.route) == number) result.push_back(entry.route);
  return result;
}

AddressBook::Entry* AddressBook::find(const Route& route) {
  if (route.broker >= brokers_.size()) return nullptr;
  auto& entries = brokers_[route.broker];
  const auto found = std::ranges::find(entries, route, &Entry::route);
  return found == entries.end() ? nullptr : &*found;
}

bool AddressBook::is_doubtful(const Route& route) {
  const Entry* entry = find(route);
  return entry && entry->doubtful;
}

void AddressBook::demote(const Route& route, uint64_t now) {
  if (Entry* entry = find(route)) entry->doubtful = true, entry->demoted_until = now + kDemotion;
}

void AddressBook::promote(const Route& route) {
  if (Entry* entry = find(route)) entry->doubtful = false;
}

}  // namespace relayd::connector
