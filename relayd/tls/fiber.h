// A second stack on which one call into wolfSSL runs, so that a signature callback can wait for keyd while the event
// loop goes on. A fiber is held only as long as its function has not returned: idle connections have none.
//
// One thread. No exception may leave the function, and it must return before its Fiber is destroyed.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace relayd::tls {

class Fiber {
 public:
  // Measured need of wolfSSL 5.9.2: 23 KiB at most (P-521). Sanitizers multiply the size of stack frames.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr size_t kStackSize = 512 * 1024;
#else
  static constexpr size_t kStackSize = 64 * 1024;
#endif

  Fiber();  // std::bad_alloc without memory
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs `function` until it returns or suspends.
  void start(std::function<void()> function);
  // Goes on where the function suspended.
  void resume();
  bool suspended() const { return suspended_; }

  // Called on a fiber: back to whoever started or resumed it.
  static void suspend();

 private:
  static void entry();
  void switch_in();
  void switch_out();

  static thread_local Fiber* current_;
  char* memory_ = nullptr;  // a guard page, then the stack
  ucontext_t self_{}, caller_{};
  std::function<void()> function_;
  bool suspended_ = false;
  // What the sanitizers must know about a change of stacks.
  void *sanitizer_fiber_ = nullptr, *sanitizer_caller_ = nullptr, *fake_stack_ = nullptr, *caller_fake_stack_ = nullptr;
  const void* caller_bottom_ = nullptr;
  size_t caller_size_ = 0;
};

// Keeps the stacks of fibers that are done for the next ones; at most kKept of them.
class FiberPool {
 public:
  std::unique_ptr<Fiber> take();  // null without memory
  void give(std::unique_ptr<Fiber> fiber);
  size_t in_use() const { return in_use_; }

 private:
  static constexpr size_t kKept = 64;
  std::vector<std::unique_ptr<Fiber>> free_;
  size_t in_use_ = 0;
};

}  // namespace relayd::tls
