// Tells all workers which connection of a device is its newest; only that one may send its CONNECT to a broker.
// Otherwise the CONNECT of a connection that the device has given up would take over the device's current session.
//
// A connection claims its device with the time of its CONNECT. The table keeps each device's latest time in a fixed
// number of entries, changed without locks. A device is a keyed hash of its client id and its public key, so only a
// connection with the same key can supersede another.
//
// The table errs on one side only. A claim supersedes no connection if it was dropped (its group was full, and the
// oldest claim goes first), torn by two workers writing at once, or is in the future. So the newest connection is never
// refused, even if the worker that claimed has died; an older one may slip through.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/fd.h"
#include "relayd/handover/shared_memory.h"
#include "relayd/handover/siphash.h"

namespace relayd {

class NewestTable {
 public:
  static constexpr size_t kWays = 8, kGroups = 8192;  // 65,536 devices; the hash selects a device's group

  // Creates the memory, which the supervisor holds and the workers inherit. Throws std::system_error if there is none.
  static common::Fd create() { return SharedMemory::create("mqtt-relay-newest", sizeof(Memory)); }
  // Maps the memory from create(); does not keep `fd`. Throws std::system_error if `fd` is something else.
  explicit NewestTable(int fd);

  using Device = uint64_t;
  Device device(std::string_view client_id, std::span<const uint8_t> spki) const;

  // `time`, `now`: nanoseconds of CLOCK_MONOTONIC, the same for all workers.
  void claim(Device device, uint64_t time, uint64_t now);
  // True if the table has no later claim of the device.
  bool is_newest(Device device, uint64_t time, uint64_t now) const;

 private:
  // `check` is device ^ time. If two workers write an entry at once, the check matches neither claim.
  struct Entry {
    std::atomic<uint64_t> time;  // 0: none
    std::atomic<uint64_t> check;
  };
  struct Memory {
    alignas(64) SipKey key;
    alignas(64) std::array<std::array<Entry, kWays>, kGroups> groups;
  };
  struct Place {
    Entry* entry;
    uint64_t claimed;  // the entry's time when it was read
    bool is_own;
  };
  Place place_for(Device device, uint64_t now) const;
  std::array<Entry, kWays>& group(Device device) const { return memory_->groups[device % kGroups]; }

  SharedMemory mapping_;
  Memory* memory_;
  const SipKey key_;  // a copy: any worker can overwrite the shared one
};

}  // namespace relayd
