// Which connection of a device is its newest, for all workers: only that one may send its CONNECT to a broker. Without
// it, the CONNECT of a connection that the device has given up would take over the session that the device has now.
//
// A connection claims its device with the time of its CONNECT. The table keeps the latest time of each device, in a
// fixed number of entries, changed without locks. A device is a keyed hash of its client id and its public key, so only
// who has the same key can supersede a connection.
//
// It errs on one side only: what was forgotten (no room left in the group: the oldest claim goes), torn by two workers
// that write at once, or lies in the future, supersedes nobody. So the newest connection is never refused, whatever
// became of the worker that claimed; an older one may slip through.
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
  static constexpr size_t kWays = 8, kGroups = 8192;  // 65,536 devices; an entry is in the group that its hash says

  // For the supervisor to hold and workers to inherit. std::system_error without memory.
  static common::Fd create() { return SharedMemory::create("mqtt-relay-newest", sizeof(Memory)); }
  // Maps what create() made; `fd` is not kept. std::system_error if it is none.
  explicit NewestTable(int fd);

  using Device = uint64_t;
  Device device(std::string_view client_id, std::span<const uint8_t> spki) const;

  // `time`, `now`: nanoseconds of CLOCK_MONOTONIC, the same for all.
  void claim(Device device, uint64_t time, uint64_t now);
  // Whether no later claim of the device is known.
  bool is_newest(Device device, uint64_t time, uint64_t now) const;

 private:
  // `check` is device ^ time. Of an entry that two workers were writing, it is the check of neither.
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
    uint64_t claimed;  // its time, as it was found
    bool is_own;
  };
  Place place_for(Device device, uint64_t now) const;
  std::array<Entry, kWays>& group(Device device) const { return memory_->groups[device % kGroups]; }

  SharedMemory mapping_;
  Memory* memory_;
  const SipKey key_;  // a copy: the shared one may be written
};

}  // namespace relayd
