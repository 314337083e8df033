// libuv handles with owners: a handle is closed when its owner is destroyed, and freed when the loop has closed it.
//
// A callback is a plain function that gets the owner's pointer. It needs no allocation, and the owner may destroy the
// handle (and itself) inside its own callback. No callback runs after destruction. Loop thread only.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace common {

template <typename Handle>
struct UvClose {
  void operator()(Handle* handle) const {
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  }
};

template <typename Handle>
using UvPtr = std::unique_ptr<Handle, UvClose<Handle>>;

// A callback with the owner's pointer that calls one of the owner's member functions:
// Timer(loop, this, call<&WorkerSlot::start>).
template <auto Method>
struct CallOf;
template <typename T, typename Result, typename... Arguments, Result (T::*Method)(Arguments...)>
struct CallOf<Method> {
  static Result call(void* self, Arguments... arguments) {
    return (static_cast<T*>(self)->*Method)(std::forward<Arguments>(arguments)...);
  }
  // The same for libuv's own callbacks, which get the handle; its `data` is the owner.
  template <typename Handle>
  static void call_handle(Handle* handle, Arguments... arguments) {
    call(handle->data, std::forward<Arguments>(arguments)...);
  }
};
template <auto Method>
inline constexpr auto call = &CallOf<Method>::call;
template <typename Handle, auto Method>
inline constexpr auto call_handle = &CallOf<Method>::template call_handle<Handle>;

class Timer {
 public:
  using Callback = void (*)(void* owner);

  Timer(uv_loop_t* loop, void* owner, Callback callback) : owner_(owner), callback_(callback) {
    auto* timer = new uv_timer_t;
    uv_timer_init(loop, timer);  // can't fail
    timer->data = this;
    timer_.reset(timer);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once after `delay`; starting a running timer restarts it.
  void start(std::chrono::milliseconds delay) {
    uv_timer_start(timer_.get(), &Timer::fired, static_cast<uint64_t>(delay.count()), 0);
  }
  void stop() { uv_timer_stop(timer_.get()); }
  bool running() const { return uv_is_active(reinterpret_cast<uv_handle_t*>(timer_.get())) != 0; }

 private:
  static void fired(uv_timer_t* timer) {
    auto* self = static_cast<Timer*>(timer->data);
    self->callback_(self->owner_);
  }
  void* owner_;
  Callback callback_;
  UvPtr<uv_timer_t> timer_;
};

}  // namespace common
