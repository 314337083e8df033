#include "relayd/handover/newest.h"

namespace relayd {
namespace {

constexpr int kMostTries = 32;  // races lost against other workers, after which this claim is not recorded

}  // namespace

NewestTable::NewestTable(int fd)
    : mapping_(fd, sizeof(Memory)), memory_(static_cast<Memory*>(mapping_.get())), key_(memory_->key) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
}

NewestTable::Device NewestTable::device(std::string_view client_id, std::span<const uint8_t> spki) const {
  const std::span id(reinterpret_cast<const uint8_t*>(client_id.data()), client_id.size());
  return siphash(key_, spki, id);  // `spki` has a fixed size, so the pair is unambiguous
}

// The device's own entry; otherwise the oldest. A time in the future is nonsense and counts as the oldest.
NewestTable::Place NewestTable::place_for(Device device, uint64_t now) const {
  Place place{};
  uint64_t oldest = UINT64_MAX;
  for (Entry& entry : group(device)) {
    const uint64_t claimed = entry.time.load(std::memory_order_acquire);
    const uint64_t age = claimed > now ? 0 : claimed;
    if (age > 0 && (claimed ^ entry.check.load(std::memory_order_acquire)) == device) return {&entry, claimed, true};
    if (age >= oldest) continue;
    oldest = age;
    place = {&entry, claimed, false};
  }
  return place;
}

void NewestTable::claim(Device device, uint64_t time, uint64_t now) {
  for (int i = 0; i < kMostTries; i++) {
    Place place = place_for(device, now);
    if (place.is_own && place.claimed >= time) return;
    if (!place.entry->time.compare_exchange_strong(place.claimed, time, std::memory_order_acq_rel)) continue;
    return place.entry->check.store(device ^ time, std::memory_order_release);
  }
}

bool NewestTable::is_newest(Device device, uint64_t time, uint64_t now) const {
  for (const Entry& entry : group(device)) {
    const uint64_t claimed = entry.time.load(std::memory_order_acquire);
    if (claimed > time && claimed <= now && (claimed ^ entry.check.load(std::memory_order_acquire)) == device)
      return false;
  }
  return true;
}

}  // namespace relayd
