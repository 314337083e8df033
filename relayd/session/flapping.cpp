#include "relayd/session/flapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <system_error>

namespace relayd {
namespace {

constexpr int kMostTries = 32;  // against other workers; then this end of a session is not counted

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// An entry's second word. `check` belongs to the device, so that the state of a device that was just pushed out is not
// taken for its successor's.
struct State {
  uint16_t check = 0;
  bool banned = false;
  uint16_t count = 0;   // of ends since `second`
  uint32_t second = 0;  // 31 bits. Banned: until then; else when the window began

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

// ---- SipHash-2-4 ---------------------------------------------------------------------------------------------------

namespace {

struct Sip {
  uint64_t v0, v1, v2, v3;
  void round() {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  }
  void word(uint64_t m) {
    v3 ^= m;
    round(), round();
    v0 ^= m;
  }
};

uint64_t little_endian(const uint8_t* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

uint64_t siphash(const SipKey& key, std::span<const uint8_t> first, std::span<const uint8_t> second) {
  const uint64_t k0 = little_endian(key.data()), k1 = little_endian(key.data() + 8);
  Sip sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
  uint64_t word = 0;
  size_t size = 0;
  for (const auto part : {first, second})
    for (const uint8_t byte : part) {
      word |= uint64_t{byte} << 8 * (size % 8);
      if (++size % 8 != 0) continue;
      sip.word(word);
      word = 0;
    }
  sip.word(word | uint64_t{size & 0xFF} << 56);
  sip.v2 ^= 0xFF;
  for (int i = 0; i < 4; i++) sip.round();
  return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

// ---- the table -----------------------------------------------------------------------------------------------------

common::Fd FlappingTable::create() {
  common::Fd fd(memfd_create("mqtt-relay-flapping", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  SipKey key{};
  // Sealed, so that no worker can shrink it under the others.
  if (!fd || ftruncate(fd.get(), sizeof(Memory)) != 0 ||
      getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()) ||
      pwrite(fd.get(), key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()) ||
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    fail("memfd for the table of flapping devices");
  return fd;
}

FlappingTable::FlappingTable(int fd, const Config::Flapping& limits) : limits_(limits) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_size < static_cast<off_t>(sizeof(Memory))) {
    errno = errno ? errno : EINVAL;
    fail("the table of flapping devices");
  }
  void* memory = mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("mapping the table of flapping devices");
  memory_ = static_cast<Memory*>(memory);  // lock-free atomics of zeroed memory are atomics of value 0
  key_ = memory_->key;
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
}

FlappingTable::~FlappingTable() { munmap(memory_, sizeof(Memory)); }

FlappingTable::Device FlappingTable::device(std::string_view client_id, std::span<const uint8_t> spki) const {
  const std::span id(reinterpret_cast<const uint8_t*>(client_id.data()), client_id.size());
  return std::max<uint64_t>(siphash(key_, spki, id), 1);  // the key's hash has a fixed size: no two pairs are alike
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

// Free, else the oldest that is no ban in force, else the ban that ends first.
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
