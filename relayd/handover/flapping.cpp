#include "relayd/handover/flapping.h"

#include <algorithm>

namespace relayd {
namespace {

constexpr int kMostTries = 32;  // races lost against other workers, after which this session's end is not counted

// An entry's second word. `check` is derived from the device: the state of a device that was just evicted must not be
// taken for that of the device which replaces it.
struct State {
  uint16_t check = 0;
  bool banned = false;
  uint16_t count = 0;   // sessions ended since `second`
  uint32_t second = 0;  // 31 bits. Banned: the end of the ban; otherwise: the start of the window

  static State of(uint64_t word) {
    return {static_cast<uint16_t>(word >> 48), (word >> 47 & 1) != 0, static_cast<uint16_t>(word >> 31 & 0xFFFF),
            static_cast<uint32_t>(word & 0x7FFF'FFFF)};
  }
  uint64_t word() const {
    return uint64_t{check} << 48 | uint64_t{banned} << 47 | uint64_t{count} << 31 | (second & 0x7FFF'FFFF);
  }
};

uint16_t check_of(uint64_t device) { return static_cast<uint16_t>(device >> 48); }

uint64_t seconds(common::Milliseconds time) { return static_cast<uint64_t>(time.count() + 999) / 1000; }

}  // namespace

common::Fd FlappingTable::create() { return SharedMemory::create("mqtt-relay-flapping", sizeof(Memory)); }

FlappingTable::FlappingTable(int fd, const Config::Flapping& limits)
    : limits_(limits), mapping_(fd, sizeof(Memory)), memory_(static_cast<Memory*>(mapping_.get())), key_(memory_->key) {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
}

FlappingTable::Device FlappingTable::device(std::string_view client_id, std::span<const uint8_t> spki) const {
  const std::span id(reinterpret_cast<const uint8_t*>(client_id.data()), client_id.size());
  return std::max<uint64_t>(siphash(key_, spki, id), 1);  // `spki` has a fixed size, so the pair is unambiguous
}

FlappingTable::Entry* FlappingTable::find(Device device) const {
  for (Entry& entry : group(device))
    if (entry.device.load(std::memory_order_acquire) == device) return &entry;
  return nullptr;
}

bool FlappingTable::banned(Device device, uint64_t now) const {
  const Entry* entry = find(device);
  if (!entry) return false;
  const State state = State::of(entry->state.load(std::memory_order_acquire));
  return state.check == check_of(device) && state.banned && state.second > now;
}

// A free entry; otherwise the oldest one without a current ban; otherwise the ban that ends first.
FlappingTable::Entry& FlappingTable::victim(Device device, uint64_t now) const {
  const auto worth = [&](const Entry& entry) {
    if (entry.device.load(std::memory_order_relaxed) == 0) return uint64_t{0};
    const State state = State::of(entry.state.load(std::memory_order_relaxed));
    return uint64_t{state.second} + 1 + (state.banned && state.second > now ? uint64_t{1} << 40 : 0);
  };
  return *std::ranges::min_element(group(device), {}, worth);
}

bool FlappingTable::ended(Device device, uint64_t now) {
  for (int i = 0; i < kMostTries; i++) {
    Entry* entry = find(device);
    if (!entry) {
      entry = &victim(device, now);
      uint64_t was = entry->device.load(std::memory_order_relaxed);
      if (!entry->device.compare_exchange_strong(was, device, std::memory_order_acq_rel)) continue;
    }
    uint64_t word = entry->state.load(std::memory_order_acquire);
    State state = State::of(word);
    if (state.check == check_of(device) && state.banned && state.second > now) return false;
    const bool fresh =
        state.check != check_of(device) || state.banned || now >= state.second + seconds(limits_.window_time);
    if (fresh) state = {check_of(device), false, 0, static_cast<uint32_t>(now)};
    const bool ban = ++state.count >= limits_.max_count;
    if (ban) state = {check_of(device), true, 0, static_cast<uint32_t>(now + seconds(limits_.ban_time))};
    if (entry->state.compare_exchange_strong(word, state.word(), std::memory_order_acq_rel)) return ban;
  }
  return false;
}

}  // namespace relayd
