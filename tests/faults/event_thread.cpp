#include "tests/faults/event_thread.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace faults {

EventThread::EventThread(milliseconds tick, std::function<void(Clock::time_point)> on_tick)
    : tick_(tick),
      on_tick_(std::move(on_tick)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (epoll_ < 0 || wake_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) harness::fail_errno("epoll");
}

EventThread::~EventThread() {
  stop();
  close(epoll_);
  close(wake_);
}

void EventThread::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void EventThread::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wake();
  thread_.join();
}

void EventThread::wake() { eventfd_write(wake_, 1); }

void EventThread::post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (!failure_.empty()) throw harness::Failure(failure_);
    tasks_.push_back(std::move(task));
  }
  wake();
}

bool EventThread::wait(std::function<bool()> holds, Deadline deadline) {
  auto waiter = std::make_shared<Waiter>(Waiter{std::move(holds), deadline, {}});
  auto done = waiter->done.get_future();
  post([this, waiter] { waiters_.push_back(waiter); });
  return done.get();
}

void EventThread::look_at_waiters(Clock::time_point now) {
  std::erase_if(waiters_, [&](const auto& waiter) {
    const bool holds = waiter->holds();
    if (!holds && now < waiter->deadline.at()) return false;
    waiter->done.set_value(holds);
    return true;
  });
}

void EventThread::run(const std::stop_token& stop) {
  std::string why = "the thread was stopped";
  try {
    turn(stop);
  } catch (const std::exception& error) {
    why = error.what();
  }
  std::lock_guard lock(mutex_);
  failure_ = why;
  // Clearing them breaks their promises, so their callers learn that no answer will come.
  tasks_.clear();
  waiters_.clear();
}

void EventThread::turn(const std::stop_token& stop) {
  std::array<epoll_event, 512> events;
  auto next_tick = Clock::now();
  while (!stop.stop_requested()) {
    const int timeout = Deadline(std::chrono::ceil<milliseconds>(next_tick - Clock::now())).poll_timeout();
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
    if (n < 0 && errno != EINTR) harness::fail_errno("epoll_wait");
    auto now = Clock::now();
    for (int i = 0; i < n; ++i) {
      const auto& event = events[static_cast<size_t>(i)];
      eventfd_t ignored;
      if (event.data.ptr) static_cast<Ready*>(event.data.ptr)->on_ready(now);
      else eventfd_read(wake_, &ignored);
    }
    std::vector<std::function<void()>> tasks;
    {
      std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    now = Clock::now();
    if (now >= next_tick) {
      on_tick_(now);
      look_at_waiters(now);
      next_tick = now + tick_;
    }
  }
}

}  // namespace faults
