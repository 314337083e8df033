#include "relayd/tls/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cassert>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace relayd::tls {
namespace {

constexpr size_t kGuard = 4096;

}  // namespace

thread_local Fiber* Fiber::current_ = nullptr;

Fiber::Fiber() {
  void* memory =
      mmap(nullptr, kGuard + kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<char*>(memory);
  // The stack grows downwards: an overflow hits this page and ends the worker, and does not corrupt other memory.
  if (mprotect(memory_, kGuard, PROT_NONE) != 0) {
    munmap(memory_, kGuard + kStackSize);
    throw std::bad_alloc();
  }
#if defined(__SANITIZE_THREAD__)
  sanitizer_fiber_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  assert(!suspended_);
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(sanitizer_fiber_);
#endif
  munmap(memory_, kGuard + kStackSize);
}

void Fiber::start(std::function<void()> function) {
  function_ = std::move(function);
  suspended_ = true;
  resume();
}

void Fiber::resume() {
  assert(suspended_ && current_ == nullptr);
  current_ = this;
  switch_in();
  current_ = nullptr;
}

void Fiber::suspend() { current_->switch_out(); }

void Fiber::entry() {
  Fiber* self = current_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &self->caller_bottom_, &self->caller_size_);
#endif
  for (;;) {
    self->function_();
    self->function_ = nullptr;
    self->suspended_ = false;
    self->switch_out();
  }
}

// AddressSanitizer must not guard the locals: the function is never left, so the guards would stay on the caller's
// stack.
#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize_address, noinline))
#endif
void Fiber::enter() {
  entered_ = true;
  ucontext_t context;
  getcontext(&context);  // can't fail on Linux, nor can setcontext
  context.uc_stack.ss_sp = memory_ + kGuard;
  context.uc_stack.ss_size = kStackSize;
  context.uc_link = nullptr;
  makecontext(&context, &Fiber::entry, 0);
  setcontext(&context);
  std::abort();
}

// swapcontext(3) would save and set the signal mask with each switch, which is a system call. All code of a worker runs
// with the same mask, so only a fiber's first start uses a context; later switches are jumps that leave the mask alone
// (sigsetjmp(3)).
void Fiber::switch_in() {
  if (sigsetjmp(caller_, 0) == 0) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&caller_fake_stack_, memory_ + kGuard, kStackSize);
#endif
#if defined(__SANITIZE_THREAD__)
    sanitizer_caller_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(sanitizer_fiber_, 0);
#endif
    if (entered_) siglongjmp(self_, 1);
    enter();
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(caller_fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::switch_out() {
  if (sigsetjmp(self_, 0) == 0) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fake_stack_, caller_bottom_, caller_size_);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(sanitizer_caller_, 0);
#endif
    siglongjmp(caller_, 1);
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack_, &caller_bottom_, &caller_size_);
#endif
}

std::unique_ptr<Fiber> FiberPool::take() {
  std::unique_ptr<Fiber> fiber;
  if (free_.empty()) {
    try {
      fiber = std::make_unique<Fiber>();
    } catch (const std::bad_alloc&) {
      return nullptr;  // each fiber takes two mappings, and a process has 65,530 (vm.max_map_count)
    }
  } else {
    fiber = std::move(free_.back());
    free_.pop_back();
  }
  in_use_++;
  return fiber;
}

void FiberPool::give(std::unique_ptr<Fiber> fiber) {
  in_use_--;
  if (free_.size() < kKept) free_.push_back(std::move(fiber));
}

}  // namespace relayd::tls
