#include "relayd/connector/address_book.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

namespace relayd::connector {
namespace {

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

}  // namespace

void AddressBook::replace(std::vector<SocketAddress> addresses) {
  const auto before = std::exchange(entries_, {});
  for (const auto& address : interleave(std::move(addresses))) {
    const auto known = std::ranges::find(before, address, &Entry::address);
    entries_.push_back({address, known == before.end() ? 0 : known->demoted_until});
  }
}

std::vector<SocketAddress> AddressBook::order(uint64_t now) const {
  std::vector<SocketAddress> result;
  for (const bool demoted : {false, true})
    for (const Entry& entry : entries_)
      if ((entry.demoted_until > now) == demoted) result.push_back(entry.address);
  return result;
}

uint64_t AddressBook::number_of(const SocketAddress& address) {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(&address.storage), address.size});
}

std::vector<SocketAddress> AddressBook::named(std::span<const uint64_t> numbers) const {
  std::vector<SocketAddress> result;
  for (const uint64_t number : numbers)
    for (const Entry& entry : entries_)
      if (number_of(entry.address) == number) result.push_back(entry.address);
  return result;
}

bool AddressBook::is_demoted(const SocketAddress& address, uint64_t now) const {
  const auto found = std::ranges::find(entries_, address, &Entry::address);
  return found != entries_.end() && found->demoted_until > now;
}

void AddressBook::demote(const SocketAddress& address, uint64_t now) {
  for (Entry& entry : entries_)
    if (entry.address == address) entry.demoted_until = now + kDemotion;
}

void AddressBook::promote(const SocketAddress& address) {
  for (Entry& entry : entries_)
    if (entry.address == address) entry.demoted_until = 0;
}

}  // namespace relayd::connector
