// Counts the bytes that a program copies with memcpy and memmove, and what it allocates. tests/bench/run has the
// dynamic loader load it into each process of a relay, and reads `bench_tally` from the process's memory: a sandboxed
// process could open no file for it. Copies that the compiler has inlined, and those within the C library, are not
// seen.
#include <stddef.h>
#include <stdint.h>

#include <atomic>

extern "C" {
#define EXPORTED __attribute__((visibility("default")))

EXPORTED struct { std::atomic<uint64_t> copied, allocations; } bench_tally{};

static void add(std::atomic<uint64_t>& count, size_t number) { count.fetch_add(number, std::memory_order_relaxed); }

// Loops, which the compiler must not turn into calls of the same functions (see the target's options).
EXPORTED void* memmove(void* to, const void* from, size_t size) {
  add(bench_tally.copied, size);
  auto* const out = static_cast<unsigned char*>(to);
  const auto* const in = static_cast<const unsigned char*>(from);
  if (out <= in || out >= in + size)
    for (size_t i = 0; i < size; i++) out[i] = in[i];
  else
    for (size_t i = size; i > 0; i--) out[i - 1] = in[i - 1];
  return to;
}
EXPORTED void* memcpy(void* __restrict to, const void* __restrict from, size_t size) { return memmove(to, from, size); }
// What programs with _FORTIFY_SOURCE call.
EXPORTED void* __memmove_chk(void* to, const void* from, size_t size, size_t) { return memmove(to, from, size); }
EXPORTED void* __memcpy_chk(void* to, const void* from, size_t size, size_t) { return memmove(to, from, size); }

// glibc's own names for its functions.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);

EXPORTED void* malloc(size_t size) {
  add(bench_tally.allocations, 1);
  return __libc_malloc(size);
}
EXPORTED void* calloc(size_t count, size_t size) {
  add(bench_tally.allocations, 1);
  return __libc_calloc(count, size);
}
EXPORTED void* realloc(void* old, size_t size) {
  add(bench_tally.allocations, 1);
  return __libc_realloc(old, size);
}
}
