// Memory for secrets: locked (never swapped), left out of core dumps, not inherited by a fork, wiped on release; if the
// kernel has memfd_secret(2), no other process at all can read it.
//
// Everything secret lives here: parsed keys, the bytes of a key file while it is read, all that wolfCrypt allocates
// (decoded PEM, the state of its random generator). It never grows and never falls back to ordinary memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace keyd {

class LockedMemory {
 public:
  // Throws std::runtime_error if the memory can't be locked; the text names the limit and what to set.
  explicit LockedMemory(size_t size);
  ~LockedMemory();
  LockedMemory(const LockedMemory&) = delete;
  LockedMemory& operator=(const LockedMemory&) = delete;
  std::span<uint8_t> bytes() const { return bytes_; }
  void wipe();

 private:
  std::span<uint8_t> bytes_;
};

// Slots of one size, so memory never fragments: `count` allocations always fit, whatever was allocated before.
class SecureSlots {
 public:
  SecureSlots(size_t count, size_t slot_size);  // throws as LockedMemory
  // 64-byte aligned; nullptr if no slot is free or `size` exceeds a slot. Any thread.
  void* take(size_t size) noexcept;
  void release(void* slot) noexcept;  // wipes; nullptr is fine. Any thread
  bool owns(const void* memory) const noexcept;
  size_t slot_size() const { return slot_size_; }
  uint64_t shortages() const { return shortages_; }  // how often no slot was free

 private:
  struct Free {
    Free* next;
  };
  const size_t slot_size_;
  LockedMemory memory_;
  std::mutex mutex_;
  Free* free_ = nullptr;
  std::atomic<uint64_t> shortages_ = 0;
};
inline constexpr char kNoLockedMemory[] = "there is no locked memory left for it";

// While it lives, wolfCrypt allocates from `slots`. One at a time: wolfCrypt's allocators take no context.
class WolfcryptMemory {
 public:
  explicit WolfcryptMemory(SecureSlots& slots);
  ~WolfcryptMemory();
  WolfcryptMemory(const WolfcryptMemory&) = delete;
  WolfcryptMemory& operator=(const WolfcryptMemory&) = delete;
};

// As SecureSlots::shortages(), of wolfCrypt's slots: tells whether a failure may have been for want of memory.
uint64_t wolfcrypt_shortages();
SecureSlots& wolfcrypt_slots();  // precondition: a WolfcryptMemory lives

// "" if this kernel has memfd_secret(2), otherwise why not; keys are then in memory that root can read.
std::string no_secret_memory();

// Locks the part of the calling thread's stack that signing uses: wolfCrypt keeps intermediate values there.
void lock_stack();
// Wipes what earlier calls left there.
void wipe_stack();

}  // namespace keyd
