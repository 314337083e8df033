// A thread around epoll(7). Only this thread touches the objects it serves; a test asks it, or waits for it, from
// outside, so no locks are needed. Conditions that a test waits for are checked at each tick.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/integration/harness/deadline.h"

namespace faults {

using harness::Clock;
using harness::Deadline;
using std::chrono::milliseconds;

class EventThread {
 public:
  // What an epoll event's data.ptr must point to.
  class Ready {
   public:
    virtual void on_ready(Clock::time_point now) = 0;

   protected:
    ~Ready() = default;
  };

  // The thread calls `on_tick` at least once every `tick`.
  EventThread(milliseconds tick, std::function<void(Clock::time_point)> on_tick);
  ~EventThread();  // ends the thread
  EventThread(const EventThread&) = delete;
  EventThread& operator=(const EventThread&) = delete;

  int epoll() const { return epoll_; }
  void start();
  void stop();

  // Runs `work` in the thread and returns what it returns.
  template <typename Work>
  auto ask(Work work) {
    using Answer = std::invoke_result_t<Work>;
    auto task = std::make_shared<std::packaged_task<Answer()>>(std::move(work));
    auto answer = task->get_future();
    post([task] { (*task)(); });
    return answer.get();
  }
  // Waits until `holds` is true; the thread calls it. Returns false at the deadline.
  bool wait(std::function<bool()> holds, Deadline deadline);

 private:
  struct Waiter {
    std::function<bool()> holds;
    Deadline deadline;
    std::promise<bool> done;
  };

  void run(const std::stop_token& stop);
  void turn(const std::stop_token& stop);
  void post(std::function<void()> task);
  void wake();
  void look_at_waiters(Clock::time_point now);

  const milliseconds tick_;
  const std::function<void(Clock::time_point)> on_tick_;
  int epoll_ = -1, wake_ = -1;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by mutex_
  std::string failure_;                       // guarded by mutex_: what ended the thread prematurely
  std::vector<std::shared_ptr<Waiter>> waiters_;
  std::jthread thread_;
};

}  // namespace faults
