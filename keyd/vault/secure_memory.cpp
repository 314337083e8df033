#include "keyd/vault/secure_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include "common/fd.h"
#include "common/tls/wolfcrypt.h"

namespace keyd {
namespace {

constexpr size_t kAlignment = 64, kPage = 4096;
constexpr size_t kStackOfCrypt = 64 * 1024;  // wolfCrypt needs 23 KiB for P-521 (measured), RSA-4096 more
constexpr size_t kStack = 4 * kStackOfCrypt;
SecureSlots* g_slots = nullptr;  // wolfCrypt's; see WolfcryptMemory

size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

// memfd_secret(2): pages that not even the kernel maps, so that neither root nor hibernation can read them.
common::Fd secret_file(size_t size) {
  common::Fd fd(static_cast<int>(syscall(SYS_memfd_secret, O_CLOEXEC)));
  if (fd && ftruncate(fd.get(), static_cast<off_t>(size)) != 0) fd.reset();
  return fd;
}

std::runtime_error cant_lock(size_t size) {
  const std::string cause = strerror(errno);
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  return std::runtime_error("can't lock " + std::to_string(size / 1024) + " KiB of memory for keys: " + cause +
                            "; RLIMIT_MEMLOCK is " + std::to_string(limit.rlim_cur / 1024) +
                            " KiB. Raise it (LimitMEMLOCK= in the unit, `ulimit -l`) or lower key_cache");
}

void* wolfcrypt_malloc(size_t size) { return g_slots->take(size); }

void wolfcrypt_free(void* memory) {
  if (memory && !g_slots->owns(memory)) return free(memory);  // allocated before the slots were set
  g_slots->release(memory);
}

void* wolfcrypt_realloc(void* memory, size_t size) {
  if (memory && !g_slots->owns(memory)) return realloc(memory, size);
  if (!memory) return g_slots->take(size);
  return size <= g_slots->slot_size() ? memory : nullptr;
}

}  // namespace

LockedMemory::LockedMemory(size_t size) {
  size = round_up(size, kPage);
  const common::Fd secret = secret_file(size);
  void* memory = secret ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, secret.get(), 0)
                        : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw cant_lock(size);
  try {
    if (!secret && mlock(memory, size) != 0) throw cant_lock(size);
    if (madvise(memory, size, MADV_DONTDUMP) != 0 || madvise(memory, size, MADV_DONTFORK) != 0)
      throw std::runtime_error(std::string("can't keep keys out of core dumps: madvise: ") + strerror(errno));
  } catch (...) {
    munmap(memory, size);
    throw;
  }
  bytes_ = {static_cast<uint8_t*>(memory), size};
}

LockedMemory::~LockedMemory() {
  wipe();
  munmap(bytes_.data(), bytes_.size());
}

void LockedMemory::wipe() { explicit_bzero(bytes_.data(), bytes_.size()); }

SecureSlots::SecureSlots(size_t count, size_t slot_size)
    : slot_size_(round_up(slot_size, kAlignment)), memory_(count * slot_size_) {
  for (size_t i = count; i-- > 0;) free_ = new (memory_.bytes().data() + i * slot_size_) Free{free_};
}

void* SecureSlots::take(size_t size) noexcept {
  const std::lock_guard guard(mutex_);
  if (size > slot_size_ || !free_) {
    shortages_++;
    return nullptr;
  }
  Free* slot = free_;
  free_ = slot->next;
  return slot;
}

void SecureSlots::release(void* slot) noexcept {
  if (!slot) return;
  explicit_bzero(slot, slot_size_);
  const std::lock_guard guard(mutex_);
  free_ = new (slot) Free{free_};
}

bool SecureSlots::owns(const void* memory) const noexcept {
  const auto* byte = static_cast<const uint8_t*>(memory);
  return byte >= memory_.bytes().data() && byte < memory_.bytes().data() + memory_.bytes().size();
}

WolfcryptMemory::WolfcryptMemory(SecureSlots& slots) {
  g_slots = &slots;
  wolfSSL_SetAllocators(wolfcrypt_malloc, wolfcrypt_free, wolfcrypt_realloc);
  if (wolfCrypt_Init() != 0) throw std::runtime_error("wolfCrypt can't be initialised");
}

WolfcryptMemory::~WolfcryptMemory() {
  wolfCrypt_Cleanup();
  wolfSSL_SetAllocators(nullptr, nullptr, nullptr);
  g_slots = nullptr;
}

uint64_t wolfcrypt_shortages() { return g_slots->shortages(); }
SecureSlots& wolfcrypt_slots() { return *g_slots; }

std::string no_secret_memory() { return secret_file(kPage) ? "" : std::string("memfd_secret: ") + strerror(errno); }

void lock_stack() {
  volatile uint8_t stack[kStack];
  for (size_t i = 0; i < kStack; i += kPage) stack[i] = 0;  // makes the kernel allocate the pages
  if (mlock(const_cast<uint8_t*>(stack), kStack) != 0) throw cant_lock(kStack);
}

[[gnu::noinline]] void wipe_stack() {
  uint8_t stack[kStackOfCrypt];
  explicit_bzero(stack, sizeof stack);
}

}  // namespace keyd
