// Bans devices whose sessions end too often (EMQX's flapping_detect). Each worker slot counts for itself, as each node
// of an EMQX cluster does, so that no worker can ban the devices of another. The memory outlives the slot's workers.
//
// The table has a fixed number of entries of two words, changed without locks: a slot's workers of two generations
// share it. A device is a keyed hash (SipHash-2-4) of its client id and its public key, so an attacker can neither
// choose ids that evict others nor ban another device's id. When the table is full, the oldest entry is dropped, bans
// last. A worker that writes nonsense bans or unbans devices on its own slot, nothing more. Time is in seconds of
// CLOCK_MONOTONIC, the same for all workers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/fd.h"
#include "relayd/handover/config.h"
#include "relayd/handover/shared_memory.h"
#include "relayd/handover/siphash.h"

namespace relayd {

class FlappingTable {
 public:
  static constexpr size_t kWays = 8, kGroups = 8192;  // 65,536 devices; the hash selects a device's group

  // Creates the memory, with its own random key: a sealed memfd that the supervisor holds and the workers of one slot
  // inherit. Throws std::system_error if there is no memory.
  static common::Fd create();

  // Maps the memory from create(); does not keep `fd`. Throws std::system_error if `fd` is something else.
  FlappingTable(int fd, const Config::Flapping& limits);

  using Device = uint64_t;
  Device device(std::string_view client_id, std::span<const uint8_t> spki) const;

  bool banned(Device device, uint64_t now) const;
  // Call when the device has ended a session that was up. True if this bans the device, and it was not banned before.
  bool ended(Device device, uint64_t now);
  const Config::Flapping& limits() const { return limits_; }

 private:
  struct Entry {
    std::atomic<uint64_t> device;  // 0: none
    std::atomic<uint64_t> state;
  };
  struct Memory {
    alignas(64) SipKey key;
    alignas(64) std::array<std::array<Entry, kWays>, kGroups> groups;
  };
  std::array<Entry, kWays>& group(Device device) const { return memory_->groups[device % kGroups]; }
  Entry* find(Device device) const;
  Entry& victim(Device device, uint64_t now) const;

  Config::Flapping limits_;
  SharedMemory mapping_;
  Memory* memory_;
  const SipKey key_;  // a copy: any worker can overwrite the shared one
};

}  // namespace relayd
