// A second stack for one call into wolfSSL, so that a signature callback can wait for keyd while the event loop runs. A
// connection holds a fiber only until that call returns: idle connections have none.
//
// One thread. The function must not throw, and must return before its Fiber is destroyed.
#pragma once

#include <setjmp.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace relayd::tls {

class Fiber {
 public:
  // wolfSSL 5.9.2 needs at most 23 KiB (measured, P-521). Sanitizers enlarge stack frames several times.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr size_t kStackSize = 512 * 1024;
#else
  static constexpr size_t kStackSize = 64 * 1024;
#endif

  Fiber();  // throws std::bad_alloc if there is no memory
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs `function` until it returns or suspends.
  void start(std::function<void()> function);
  // Continues where the function suspended.
  void resume();
  bool suspended() const { return suspended_; }

  // Called on a fiber: returns to the caller of start() or resume().
  static void suspend();

 private:
  static void entry();
  [[noreturn]] void enter();
  void switch_in();
  void switch_out();

  static thread_local Fiber* current_;
  char* memory_ = nullptr;    // a guard page, then the stack
  sigjmp_buf self_, caller_;  // where each side continues
  bool entered_ = false;
  std::function<void()> function_;
  bool suspended_ = false;
  // For the sanitizers, which must follow each change of stacks.
  void *sanitizer_fiber_ = nullptr, *sanitizer_caller_ = nullptr, *fake_stack_ = nullptr, *caller_fake_stack_ = nullptr;
  const void* caller_bottom_ = nullptr;
  size_t caller_size_ = 0;
};

// Keeps up to kKept finished fibers' stacks for reuse.
class FiberPool {
 public:
  std::unique_ptr<Fiber> take();  // null if there is no memory
  void give(std::unique_ptr<Fiber> fiber);
  size_t in_use() const { return in_use_; }

 private:
  static constexpr size_t kKept = 64;
  std::vector<std::unique_ptr<Fiber>> free_;
  size_t in_use_ = 0;
};

}  // namespace relayd::tls
