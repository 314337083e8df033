// Devices whose sessions end so often that they are banned for a while (EMQX's flapping_detect), counted in memory that
// all workers share and that outlives each of them.
//
// A fixed number of entries of two words, changed without locks. A device is a keyed hash of its client id and its
// public key (SipHash-2-4), so that nobody can choose ids that push others out, and nobody can ban another device's id.
// When there is no room, what is oldest is forgotten, bans last. A worker that writes nonsense can ban or unban
// devices, nothing more. Time is in seconds of CLOCK_MONOTONIC, the same for all.
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
  static constexpr size_t kWays = 8, kGroups = 8192;  // an entry is in the group that its hash says

  // The memory, with a random key of its own: a sealed memfd, for the supervisor to hold and workers to inherit.
  // std::system_error without memory.
  static common::Fd create();

  // Maps what create() made; `fd` is not kept. std::system_error if it is none.
  FlappingTable(int fd, const Config::Flapping& limits);

  using Device = uint64_t;
  Device device(std::string_view client_id, std::span<const uint8_t> spki) const;

  bool banned(Device device, uint64_t now) const;
  // A session of it that was up has been ended by the device. True if it is banned from now on, and was not before.
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
  const SipKey key_;  // a copy: the shared one may be written
};

}  // namespace relayd
