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

// Readiness of a descriptor, level-triggered. Does not own the descriptor; destroy the Poll before closing it.
class Poll {
 public:
  using Callback = void (*)(void* owner, int events);

  Poll(uv_loop_t* loop, int fd, void* owner, Callback callback) : owner_(owner), callback_(callback) {
    auto poll = std::make_unique<uv_poll_t>();
    status_ = uv_poll_init(loop, poll.get(), fd);
    if (status_ != 0) return;
    poll->data = this;
    poll_.reset(poll.release());
  }
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  // 0, or why libuv refused the descriptor (a negative UV_E code); such a Poll never calls back.
  int status() const { return status_; }

  // UV_READABLE | UV_WRITABLE, or 0 for none. Readability that is no longer wanted stays registered until it fires; if
  // it is wanted again before that, no system call is needed. Writability would fire at once, so it does not stay.
  void watch(int events) {
    wanted_ = events;
    const int extra = registered_ & ~events;
    if (poll_ && ((events & ~registered_) != 0 || (extra & UV_WRITABLE) != 0)) register_wanted();
  }

 private:
  void register_wanted() {
    registered_ = wanted_;
    if (registered_ == 0) uv_poll_stop(poll_.get());
    else uv_poll_start(poll_.get(), registered_, &Poll::ready);
  }
  static void ready(uv_poll_t* poll, int status, int events) {
    auto* self = static_cast<Poll*>(poll->data);
    // libuv stops a poll that has an error to report. The descriptor may still have data before its error: restart the
    // poll, report readiness, and let the owner's system calls find the error.
    if (status < 0) events = self->registered_;
    if (status < 0 || (events & self->wanted_) == 0) self->register_wanted();
    if ((events & self->wanted_) != 0) self->callback_(self->owner_, events & self->wanted_);
  }
  void* owner_;
  Callback callback_;
  UvPtr<uv_poll_t> poll_;
  int wanted_ = 0, registered_ = 0;
  int status_ = 0;
};

}  // namespace common
