#include "relayd/session/address_rates.h"

#include <algorithm>
#include <span>

namespace relayd {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr size_t kNetwork = 8;  // bytes of an IPv6 /64

}  // namespace

AddressRates::AddressRates(const common::Rate& rate, const SipKey& key) : key_(key) {
  if (rate.count == 0) return;
  burst_ns_ = static_cast<uint64_t>(rate.per.count()) * kNsPerMs;
  step_ns_ = std::max<uint64_t>(burst_ns_ / rate.count, 1);
  sets_.resize(kSets);
}

bool AddressRates::admit(const SocketAddress& address, uint64_t now) {
  if (sets_.empty()) return true;
  const uint64_t wanted = hash(address), now_ns = now * kNsPerMs;
  Set& set = sets_[wanted % kSets];
  Entry* entry = std::ranges::find(set, wanted, &Entry::address);
  if (entry == set.end()) {
    entry = std::ranges::min_element(set, {}, &Entry::whole_at);
    *entry = {wanted, now_ns};
  }
  const uint64_t after = std::max(entry->whole_at, now_ns) + step_ns_;
  if (after > now_ns + burst_ns_) return false;
  entry->whole_at = after;
  return true;
}

uint64_t AddressRates::hash(const SocketAddress& address) const {
  const auto bytes = address.in_ipv6();
  const bool v4 = address.unmapped().family() == AF_INET;
  const std::span all(bytes);
  return std::max<uint64_t>(siphash(key_, v4 ? all : all.first(kNetwork)), 1);
}

}  // namespace relayd
